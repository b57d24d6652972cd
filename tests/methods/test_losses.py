from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from stable_tiles.methods.losses import (
    StopGradient,
    distance,
    growth,
    information,
    least_squares,
)


def test_least_squares_sums_the_means_of_all_scales() -> None:
    verdicts = [torch.tensor([0.0, 2.0, 4.0]), torch.tensor([3.0])]
    assert least_squares(verdicts[:1], 1.0).item() == pytest.approx((1 + 1 + 9) / 3)
    assert least_squares(verdicts, 1.0).item() == pytest.approx((1 + 1 + 9) / 3 + 4)


def test_distance_is_the_mean_absolute_difference_in_float32() -> None:
    x, y = torch.tensor([1.0, -2.0]).bfloat16(), torch.tensor([4.0, -2.5])
    assert distance(x, y).item() == pytest.approx(1.75)
    assert distance(x, y).dtype == torch.float32


def maps() -> list[Tensor]:
    return [torch.tensor([v], requires_grad=True) for v in (0.0, 1.0, 5.0, 7.0)]


@pytest.mark.parametrize("stop", ["official", "symmetric", "none"])
def test_information_adds_both_distances(stop: StopGradient) -> None:
    z_a, again_a, z_b, again_b = maps()
    assert information((z_a, again_a), (z_b, again_b), stop).item() == 3.0


@pytest.mark.parametrize(
    ("stop", "learning"),
    [
        ("official", [False, True, True, False]),
        ("symmetric", [False, True, False, True]),
        ("none", [True, True, True, True]),
    ],
)
def test_stopped_maps_get_no_gradient(stop: StopGradient, learning: list[bool]) -> None:
    z_a, again_a, z_b, again_b = maps()
    torch.autograd.backward(information((z_a, again_a), (z_b, again_b), stop))
    assert [z.grad is not None for z in (z_a, again_a, z_b, again_b)] == learning


def test_the_cycle_grows_as_a_sigmoid_and_then_stays() -> None:
    wanted: dict[int, Any] = {0: 1 / (1 + math.exp(6)), 50: 0.5, 99: 1 / (1 + math.exp(-5.88))}
    for step, share in wanted.items():
        assert growth(step, 100) == pytest.approx(share)
    assert growth(100, 100) == growth(10**9, 100) == growth(0, None) == 1.0
