from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.tiling.blend import Blend, profile


@given(
    blend=st.sampled_from(["crop", "linear", "hann", "gaussian"]),
    length=st.integers(1, 200),
    overlap=st.integers(0, 200),
)
@settings(deadline=None, max_examples=50)
def test_a_profile_is_symmetric_and_never_zero(blend: Blend, length: int, overlap: int) -> None:
    shape = profile(blend, length, overlap)
    assert shape.shape == (length,)
    assert np.allclose(shape, shape[::-1])
    assert np.all(shape > 0)
    assert np.all(shape <= 1)


@pytest.mark.parametrize("blend", ["linear", "hann"])
def test_the_ramps_of_two_neighbours_sum_to_one_by_themselves(blend: Blend) -> None:
    shape = profile(blend, 64, 16)
    assert np.allclose(shape[:16] + shape[-16:], 1)
    assert np.all(shape[16:-16] == 1)
