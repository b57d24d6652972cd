"""Frames: every frame is made from those around it, wherever regions are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_tiles.tiling.frames import Frames


@given(st.integers(1, 40), st.integers(1, 50), st.data())
def test_windows_are_numpys_reflection_and_lie_in_what_is_read(
    length: int, reach: int, data: st.DataObject
) -> None:
    frames = Frames(length, reach)
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    windows = frames.windows(start, stop)
    every = np.arange(length)
    padded = np.pad(every, reach, "reflect") if length > 1 else np.pad(every, reach, "edge")
    expected = np.stack([padded[t : t + 2 * reach + 1] for t in range(start, stop)])
    assert np.array_equal(windows, expected)
    first, last = frames.reads(start, stop)
    assert windows.min() >= first
    assert windows.max() < last


def test_a_region_inside_reads_its_frames_and_the_reach() -> None:
    assert Frames(100, 30).reads(40, 50) == (10, 80)


@pytest.mark.parametrize(("length", "reach"), [(0, 1), (3, 0)])
def test_a_movie_without_frames_or_neighbours_is_none(length: int, reach: int) -> None:
    with pytest.raises(ValueError, match="no frames or reads none"):
        Frames(length, reach)
