from __future__ import annotations

import pytest

from stable_tiles.axes import Axes, Axis


@pytest.mark.parametrize("names", ["yx", "cyx", "tyx", "tczyx", "zyx"])
def test_missing_axes_have_length_one(names: str) -> None:
    axes = Axes.named(names)
    shape = tuple(range(2, 2 + len(names)))
    canonical = axes.canonical_shape(shape)
    assert axes.project(canonical) == shape
    assert sum(n == 1 for n in canonical) == 5 - len(names)


@pytest.mark.parametrize("names", ["xy", "ytx", "yxx", "zy", "qyx"])
def test_axes_out_of_order_are_refused(names: str) -> None:
    with pytest.raises(ValueError, match="ax"):
        Axes.named(names)


def test_a_scale_must_be_positive() -> None:
    with pytest.raises(ValueError, match="not positive"):
        Axis("y", 0.0)


def test_channels_have_no_scale() -> None:
    axes = Axes.named("tcyx", {"t": 0.5, "y": 2.0, "x": 3.0}, {"t": "second"})
    assert axes.scale == {"t": 0.5, "y": 2.0, "x": 3.0}
    assert axes.units == {"t": "second", "y": None, "x": None}
