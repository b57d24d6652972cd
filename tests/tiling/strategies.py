"""Strategies that draw tilings and windows of small axes."""

from __future__ import annotations

from hypothesis import strategies as st

from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.blend import Blend

BLENDS: tuple[Blend, ...] = ("linear", "hann", "gaussian")


@st.composite
def crop_tilings(draw: st.DrawFn) -> Tiling:
    """Tilings whose tiles are large enough for their halo."""
    stride = draw(st.sampled_from([1, 2, 4, 8]))
    halo = draw(st.integers(0, 20))
    extra = draw(st.integers(0, 60))
    return Tiling(2 * (halo + stride - 1) + stride + extra, halo, stride, "crop")


@st.composite
def blend_tilings(draw: st.DrawFn) -> Tiling:
    """Tilings of overlapping tiles."""
    stride = draw(st.sampled_from([1, 2, 4, 8]))
    halo = draw(st.integers(0, 20))
    tile = 2 * halo + stride + draw(st.integers(0, 60))
    return Tiling(tile, halo, stride, draw(st.sampled_from(BLENDS)))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """A window somewhere on an axis of up to 300 pixels."""
    length = draw(st.integers(1, 300))
    start = draw(st.integers(0, length - 1))
    stop = draw(st.integers(start + 1, length))
    return Window(length, start, stop, draw(st.integers(1, 300)))
