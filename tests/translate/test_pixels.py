from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stable_tiles.intensity import Normalizer
from stable_tiles.translate.pixels import Intensity, storable, unit_normalizer


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_integers_that_enter_and_leave_are_the_same(dtype: str, data: st.DataObject) -> None:
    low = data.draw(st.floats(-100, 100))
    same = Normalizer((low,), (low + data.draw(st.floats(1, 1000)),))
    planes = data.draw(arrays(dtype, (1, 2, 3, 4)))
    back, clipped = Intensity(same, same, dtype).leave(Intensity(same, same, dtype).enter(planes))
    assert back.dtype == planes.dtype
    assert np.array_equal(back, planes)
    assert clipped == 0


def test_values_outside_the_range_are_clipped_and_counted() -> None:
    same = Normalizer((0.0,), (1.0,))
    values = torch.tensor([-1.0, -0.5, 0.5, 1.5, 255.5, 256.0, float("nan"), float("inf")])
    pixels, clipped = Intensity(same, same, "uint8").leave(values.view(1, 1, 2, 4))
    assert pixels.ravel().tolist() == [0, 0, 0, 2, 255, 255, 0, 255]
    assert clipped == 5


def test_floats_leave_as_they_are_even_those_that_are_no_numbers() -> None:
    same = Normalizer((0.0,), (2.0,))
    values = torch.tensor([-1.0, float("nan"), 3.0, 0.0]).view(1, 1, 2, 2)
    pixels, clipped = Intensity(same, same, "float32").leave(values)
    assert np.array_equal(pixels.ravel(), [-2, np.nan, 6, 0], equal_nan=True)
    assert clipped == 0


def test_a_domain_is_stored_in_its_own_small_integers_or_in_float32() -> None:
    kinds = ["uint8", "int16", "uint16", "uint32", "float64", "bool"]
    assert [storable(kind) for kind in kinds] == [
        "uint8",
        "int16",
        "uint16",
        "float32",
        "float32",
        "uint8",
    ]


def test_units_fill_the_range_of_an_integer() -> None:
    assert unit_normalizer("uint16").denormalize(np.ones((1, 1, 1), np.float32)) == 65535
    assert unit_normalizer("float32").denormalize(np.ones((1, 1, 1), np.float32)) == 1
