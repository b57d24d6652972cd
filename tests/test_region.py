from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_tiles.region import Region

SIDE = st.integers(1, 40)


@st.composite
def regions(draw: st.DrawFn) -> Region:
    corners = [sorted((draw(st.integers(0, 30)), draw(st.integers(0, 30)))) for _ in range(2)]
    return Region((corners[0][0], corners[1][0]), (corners[0][1], corners[1][1]))


@given(regions(), st.tuples(SIDE, SIDE))
def test_the_cells_of_a_division_cover_every_pixel_once(
    region: Region, block: tuple[int, int]
) -> None:
    count = np.zeros((31, 31), int)
    for cell in region.divide(block):
        count[cell.slices] += 1
        for start, stop, side in zip(cell.start, cell.stop, block, strict=True):
            assert start // side == (stop - 1) // side
    expected = np.zeros_like(count)
    expected[region.slices] = 1
    assert np.array_equal(count, expected)


@given(regions(), regions())
def test_an_intersection_holds_the_pixels_of_both(a: Region, b: Region) -> None:
    masks = []
    for region in (a, b):
        mask = np.zeros((31, 31), bool)
        mask[region.slices] = True
        masks.append(mask)
    both = a.intersect(b)
    assert (both.size if both else 0) == np.count_nonzero(masks[0] & masks[1])
    if both:
        assert a.contains(both)
        assert b.contains(both)


@given(regions(), st.integers(0, 20))
def test_a_grown_region_stays_within_its_bounds(region: Region, margin: int) -> None:
    whole = Region.whole((31, 31))
    grown = region.expand(margin, whole)
    assert whole.contains(grown)
    assert grown.contains(region)


@pytest.mark.parametrize(("start", "stop"), [((0, 0), (1,)), ((2,), (1,)), ((-1,), (1,))])
def test_impossible_boxes_are_refused(start: tuple[int, ...], stop: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="corners"):
        Region(start, stop)
