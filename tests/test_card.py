from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stable_tiles.card import CARD, model_card, write_card
from stable_tiles.model import Model, load_model
from stable_tiles.networks.build import build
from stable_tiles.support import SupportNetworkSettings
from tests.exchange.models import DOMAINS
from tests.translate.scenes import domain, save_model

STORES = {
    "sources": [{"name": "a.zarr", "digest": "sha-of-a"}],
    "targets": [{"name": "b.zarr", "digest": "sha-of-b"}],
}


def model(folder: Path) -> Model:
    made = load_model(save_model(folder / "run", domains=DOMAINS))
    return replace(made, provenance={**STORES, "steps": 300, "versions": {"torch": "2.4"}})


def test_a_card_tells_data_intensities_network_and_limits(tmp_path: Path) -> None:
    made = model(tmp_path)
    text = model_card(made, "nuclei")
    assert text.startswith("# nuclei\n\nA model of unpaired")
    for fact in (
        "trained for 300 steps",
        made.digest,
        "targets: `b.zarr`, digest `sha-of-b`",
        "percentiles 1.0 and 99.0 of an image",
        "B: 3 channels (c0, c1, c2), uint8; fixed values become 0 and 1",
        f"a pixel depends on {made.reach('a2b')} px around it",
        "- torch 2.4",
        "## Intended use",
        "## Limits",
        "## Validation",
    ):
        assert fact in text


def test_the_card_of_a_denoiser_speaks_of_movies_and_not_of_two_modalities(tmp_path: Path) -> None:
    settings = SupportNetworkSettings(frames=5, widths=(2, 4), branch=2, head=(4,))
    domains = {"a": domain(1), "b": domain(1)}
    made = Model(build(settings, 1, 1), settings, domains, {"sources": STORES["sources"]})
    text = model_card(made, "calcium")
    assert text.startswith("# calcium\n\nA denoiser of movies (c0), which makes each frame from 5")
    assert "no clean movie was seen" in text
    for foreign in ("unpaired", "paired", "modalit", "translat"):
        assert foreign not in text.lower()


def test_a_model_whose_data_nobody_recorded_says_so(tmp_path: Path) -> None:
    imported = replace(model(tmp_path), provenance={"made_by": "NICALab/STABLE"})
    assert "Not recorded; made by NICALab/STABLE." in model_card(imported, "x")


def test_the_card_stands_beside_the_model_and_names_no_folder(tmp_path: Path) -> None:
    write_card(model(tmp_path), tmp_path / "run")
    text = (tmp_path / "run" / CARD).read_text()
    assert text.startswith("# run\n")
    assert str(tmp_path) not in text
