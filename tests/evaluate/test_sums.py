from __future__ import annotations

from dataclasses import astuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.evaluate.sums import Sums


def pair(seed: int, count: int, offset: float) -> npt.NDArray[np.float64]:
    """Two samples far from zero."""
    return offset + np.random.default_rng(seed).normal(size=(2, count))


@given(
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    offset=st.sampled_from([0.0, 1e6]),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_sums_of_parts_add_up_to_those_of_the_whole(
    counts: list[int], offset: float, seed: int
) -> None:
    x, y = pair(seed, sum(counts), offset)
    ends = np.cumsum(counts)
    parts = [
        Sums.of_pixels(a, b)
        for a, b in zip(np.split(x, ends[:-1]), np.split(y, ends[:-1]), strict=True)
    ]
    for order in (parts, parts[::-1]):
        assert astuple(sum(order, Sums())) == pytest.approx(
            astuple(Sums.of_pixels(x, y)), rel=1e-9, abs=1e-6
        )


def test_nothing_measured_is_undefined() -> None:
    assert all(np.isnan(value) for value in Sums().metrics(1.0).values())
