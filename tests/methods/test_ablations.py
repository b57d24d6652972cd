from __future__ import annotations

import pytest

from stable_tiles.methods.ablations import ABLATIONS, SWEEPS
from stable_tiles.methods.choose import create
from stable_tiles.settings import Settings, load_settings

SMALL = ("network.widths=[4, 8]", "data.patch=32", "discriminator.widths=[4, 8]")


def of(name: str) -> Settings:
    return load_settings("calcium", [*SMALL, *ABLATIONS[name]])


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_is_a_method_of_its_own(name: str) -> None:
    method = create(of(name), 1, 1, "cpu")
    assert method.network.directions == ("a2b", "b2a")


def test_the_papers_four_steps_differ_in_upsampling_and_information() -> None:
    told = [
        (one.network.upsampling, one.losses.information)
        for one in (of(f"ablation-{number}") for number in (1, 2, 3, 4))
    ]
    assert told == [("bilinear", 0), ("dynamic", 0), ("bilinear", 10), ("dynamic", 10)]
    assert of("ablation-4") == load_settings("calcium", [*SMALL])


def test_sweeps_change_one_setting_each() -> None:
    told = {name: load_settings("calcium", changes) for name, changes in SWEEPS.items()}
    assert [told[f"features-{n}"].network.features for n in (1, 3, 8)] == [1, 3, 8]
    for term in ("adversarial", "information", "cycle"):
        weights = [getattr(told[f"{term}-{weight}"].losses, term) for weight in (1, 2, 5, 10)]
        assert weights == [1, 2, 5, 10]
    assert not set(SWEEPS) & set(ABLATIONS)
