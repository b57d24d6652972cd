from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.image.pyramid import halve, nearest


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32", "uint64"])
@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 7), width=st.integers(1, 7), seed=st.integers(0, 10**6))
def test_integers_are_averaged_and_rounded_half_to_even(
    dtype: str, height: int, width: int, seed: int
) -> None:
    limits = np.iinfo(dtype)
    top = min(int(limits.max), 2**32)
    rng = np.random.default_rng(seed)
    block = rng.integers(max(int(limits.min), -(2**31)), top, (height, width)).astype(dtype)
    result = halve(block)
    assert result.dtype == block.dtype
    assert result.shape == (-(-height // 2), -(-width // 2))
    for y, x in np.ndindex(*result.shape):
        cell = block[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        mean = Fraction(sum(int(v) for v in cell.flat), cell.size)
        assert int(result[y, x]) == round(mean)


def test_floats_keep_their_mean_and_nan_stays_local() -> None:
    block = np.arange(16, dtype=np.float32).reshape(4, 4)
    block[0, 0] = np.nan
    result = halve(block)
    assert np.isnan(result[0, 0])
    assert result[1, 1] == np.float32(12.5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_constant_image_stays_constant_at_its_edges(dtype: str) -> None:
    block = np.full((5, 7), 201, dtype)
    assert np.all(halve(block) == 201)


def test_labels_keep_their_numbers() -> None:
    block = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert nearest(block).tolist() == [[1, 3], [7, 9]]
