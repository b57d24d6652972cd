"""Each way to go wrong is planted in a log, and in a network."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stable_tiles.networks.translator import Direction
from stable_tiles.train.measures import measure
from stable_tiles.train.trouble import LINES, LOOKS, Trouble


def losses(a: float, b: float, total: float) -> dict[str, float]:
    return {"step": 0, "total": total, "discriminator_a": a, "discriminator_b": b}


def found(lines: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Sentences, each with the number of its line."""
    trouble = Trouble()
    return [(i, said) for i, line in enumerate(lines) for said in trouble.read(line)]


def test_discriminators_that_are_always_right_are_reported_once_and_again_after_a_break() -> None:
    won, even = losses(0.001, 0.01, 3.0), losses(0.4, 0.01, 3.0)
    said = found([won] * (LINES + 5) + [even] + [won] * LINES)
    assert [line for line, _ in said] == [LINES - 1, 2 * LINES + 5]
    assert all("right about every patch" in sentence for _, sentence in said)


def test_the_one_discriminator_of_a_method_of_one_direction_is_read_too() -> None:
    lines = [{"step": 0, "total": 3.0, "discriminator_b": 0.001}] * LINES
    assert [line for line, _ in found(lines)] == [LINES - 1]


def test_discriminators_that_guess_are_reported_only_where_the_generators_stand_still() -> None:
    learning = [losses(0.5, 0.501, 3.0 * 0.9**i) for i in range(3 * LINES)]
    assert found(learning) == []
    ((line, sentence),) = found([losses(0.5, 0.501, 3.0)] * 3 * LINES)
    assert line == LINES
    assert "told nothing apart" in sentence


class Mimic:
    """Translates by a formula that a test chooses."""

    directions: tuple[Direction, ...] = ("a2b", "b2a")

    def __init__(self, gain: float, noise: float = 0.0) -> None:
        self.gain, self.noise = gain, noise

    def translate(self, x: Tensor, direction: Direction) -> Tensor:
        """Brighter, darker or the other way round."""
        return 0.5 + self.gain * x + self.noise * torch.rand(x.shape)


def scene(dark: bool = False, channels: int = 1) -> Tensor:
    """Few bright spots on a dark ground, or the reverse."""
    spots = torch.zeros(4, channels, 32, 32)
    spots[:, :, 4:9, 4:9] = 1
    return 1 - spots if dark else spots


def previews(network: Mimic, *domains: Tensor, count: int = LOOKS) -> list[str]:
    line = {"step": 1, "preview": measure(network, (domains[0], domains[1]))}
    return [sentence for _, sentence in found([line] * count)]


def test_an_inverting_network_is_reported_in_both_directions() -> None:
    said = previews(Mimic(-1.0), scene(), scene())
    assert len(said) == 2
    assert "translations a2b have looked inverted in 3 previews in a row" in said[0]
    assert "correlation with the input -1.00" in said[0]
    assert "translations b2a" in said[1]
    assert previews(Mimic(-1.0), scene(), scene(), count=LOOKS - 1) == []


def test_dark_on_bright_from_bright_on_dark_is_no_inversion_but_the_reverse_is() -> None:
    fluorescence, stained = scene(), scene(dark=True)
    assert previews(Mimic(-0.8), fluorescence, stained) == []
    assert len(previews(Mimic(0.8), fluorescence, stained)) == 2


def test_a_good_network_is_not_reported() -> None:
    assert previews(Mimic(0.7, noise=0.2), scene(), scene(), count=20) == []


@pytest.mark.parametrize("gain", [0.0, 1e-4])
def test_a_network_whose_output_is_constant_is_reported(gain: float) -> None:
    said = previews(Mimic(gain), scene(), scene())
    assert len(said) == 2
    assert "translations a2b have shown next to nothing" in said[0]


def test_measures_are_those_of_numpy() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(3, 2, 8, 8), torch.rand(3, 1, 8, 8) ** 3
    seen = measure(Mimic(0.5), (a, b))["a2b"]
    x, y = a.mean(1).flatten().double(), b.flatten().double()
    assert seen["correlation"] == pytest.approx(1.0)
    assert seen["contrast"] == pytest.approx(0.5 * float(x.std() / y.std()), rel=1e-2)
    skew = float(((y - y.mean()) / y.std(correction=0)).pow(3).mean())
    assert seen["skew_target"] == pytest.approx(skew)
    assert (
        measure(Mimic(0.5), (torch.zeros(1, 1, 4, 4), b[:1, :, :4, :4]))["a2b"]["correlation"]
        == 0.0
    )
