from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.region import Region
from stable_tiles.tiling.order import Curve

four = st.tuples(*[st.integers(1, 40)] * 4)


def morton(row: int, column: int) -> int:
    """The position of a cell on the Morton curve: both indices' bits, interleaved."""
    return int("".join(map("".join, zip(f"{row:08b}", f"{column:08b}", strict=True))), 2)


@given(four, st.tuples(*[st.integers(1, 12)] * 4))
@settings(deadline=None, max_examples=60)
def test_regions_partition_the_box_by_plane_and_then_along_the_curve(
    shape: tuple[int, int, int, int], block: tuple[int, int, int, int]
) -> None:
    def key(region: Region) -> tuple[int, int, int]:
        t, z, y, x = region.start
        return t, z, morton(y // block[2], x // block[3])

    curve = Curve(shape, block)
    every = list(Region.whole(shape).divide(block))
    assert list(curve) == sorted(every, key=key)
    assert len(curve) == len(every)
    assert [curve.number(region) for region in curve] == list(range(len(every)))
    assert curve.total(lambda region: region.size) == Region.whole(shape).size
    assert curve.largest(lambda region: region.size).size == max(one.size for one in every)


def test_any_of_very_many_regions_is_found_without_the_others() -> None:
    curve = Curve((1, 1, 10**8, 10**8), (1, 1, 10, 10))
    assert len(curve) == 10**14
    for number in (0, 3, 10**13 + 7, 10**14 - 1):
        assert curve.number(curve[number]) == number
    with pytest.raises(IndexError, match="no region"):
        curve[10**14]


def test_what_is_no_region_has_no_number() -> None:
    curve = Curve((1, 1, 40, 40), (1, 1, 10, 10))
    assert curve.number(Region((0, 0, 10, 10), (1, 1, 20, 20))) == 3
    assert curve.number(Region((0, 0, 10, 10), (1, 1, 20, 25))) is None
    assert curve.number(Region((0, 0, 11, 10), (1, 1, 20, 20))) is None
    assert curve.number(Region((0, 0, 40, 0), (1, 1, 50, 10))) is None
