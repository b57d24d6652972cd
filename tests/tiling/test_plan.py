from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError
from stable_tiles.region import Region
from stable_tiles.tiling.axis import Tiling
from stable_tiles.tiling.plan import Plan, auto_tile, plan_regions

SHARD = (1, 1, 64, 64)


def plan_of(
    tiling: Tiling, height: int, width: int, side: int = 64, first: Tiling | None = None
) -> Plan:
    output, block = Region.whole((1, 1, height, width)), (1, 1, side, side)
    return plan_regions((tiling, first), (height, width), output, block, block)


def test_a_plane_in_one_tile_costs_no_redundancy() -> None:
    plan = plan_of(Tiling(128, 20, 4, "crop"), 60, 64)
    assert plan.tiles == 1
    assert plan.redundancy == 1


@given(st.integers(1, 300), st.integers(1, 300))
@settings(deadline=None, max_examples=30)
def test_cropped_tiles_are_computed_once_whatever_the_regions(height: int, width: int) -> None:
    plan = plan_of(Tiling(72, 10, 4, "crop"), height, width)
    everything = plan.cut.grid.count(Region.whole((height, width)))
    assert plan.tiles == everything
    assert plan.pixels_written == height * width


@given(st.integers(30, 300), st.integers(30, 300), st.integers(0, 12), st.integers(0, 12))
@settings(deadline=None, max_examples=30)
def test_the_first_of_two_passes_writes_all_that_the_last_reads(
    height: int, width: int, halo: int, first_halo: int
) -> None:
    first = Tiling(72, first_halo, 4, "crop")
    plan = plan_of(Tiling(72, halo, 4, "crop"), height, width, 64, first)
    whole = Region.whole((height, width))
    for region in plan.regions:
        grid = plan.cut.first_grid(region)
        assert grid is not None
        needed = plan.cut.grid.reads(plan.cut.plane(region))
        written = sum(tile.core.size for tile in grid.tiles(whole))
        assert written == needed.size
        assert all(needed.contains(tile.core) for tile in grid.tiles(whole))
        reads = plan.cut.reads(region)
        box = Region(reads.start[2:], reads.stop[2:])
        assert box.contains(needed.expand(first_halo, whole))
        assert box == grid.reads(whole)


@pytest.mark.parametrize(
    ("halo", "stride", "most", "pixels"),
    [(29, 4, 1.10, 8_000_000), (65, 8, 1.30, 2_600_000)],
    ids=["three levels", "four levels"],
)
def test_tiles_of_two_passes_keep_redundancy_low_on_large_planes(
    halo: int, stride: int, most: float, pixels: int
) -> None:
    side = 4096 + 2 * (halo + stride)
    height, width = auto_tile((side, side), halo, stride, pixels)
    tiling = Tiling(width, halo, stride, "crop", height)
    plan = plan_of(tiling, 16384, 16384, 4096, tiling)
    assert plan.redundancy <= most
    assert max(map(plan.cut.largest_tile, plan.regions)) <= pixels


@given(
    st.integers(1, 5000), st.integers(0, 300), st.sampled_from([1, 4, 8, 16]), st.integers(1, 10**7)
)
@settings(deadline=None, max_examples=60)
def test_an_automatic_tile_always_has_room_between_its_halos(
    side: int, halo: int, stride: int, pixels: int
) -> None:
    height, width = auto_tile((side, side), halo, stride, pixels)
    plan_of(Tiling(width, halo, stride, "crop", height), 2 * side, side, side)


def test_a_window_of_the_source_is_planned_where_it_lies() -> None:
    output = Region((2, 0, 30, 50), (4, 1, 130, 150))
    plan = plan_regions((Tiling(60, 8, 4, "crop"), None), (200, 300), output, SHARD, SHARD)
    assert plan.cut.origin == (2, 0, 30, 50)
    assert plan.cut.plane(Region((0, 0, 64, 0), (1, 1, 100, 64))) == Region((94, 50), (130, 114))
    assert plan.cut.grid.rows[0].read_start == 20
    assert plan.cut.grid.rows[-1].read_stop >= 138


def test_regions_that_share_a_shard_are_refused() -> None:
    output = Region.whole((1, 1, 128, 128))
    tilings = (Tiling(64, 4, 4, "crop"), None)
    with pytest.raises(ValueError, match="whole shards"):
        plan_regions(tilings, (128, 128), output, (1, 1, 32, 64), SHARD)
    assert len(plan_regions(tilings, (128, 128), output, (1, 1, 64, 200), SHARD).regions) == 2


@given(
    st.lists(st.integers(1, 300), min_size=2, max_size=2),
    st.lists(st.integers(1, 3), min_size=2, max_size=2),
    st.sampled_from([None, Tiling(56, 6, 4, "crop")]),
)
@settings(deadline=None, max_examples=30)
def test_what_a_plan_costs_is_the_sum_over_its_regions(
    size: list[int], planes: list[int], first: Tiling | None
) -> None:
    output, block = Region.whole((*planes, *size)), (2, 1, 64, 128)
    tilings = (Tiling(72, 10, 4, "crop"), first)
    plan = plan_regions(tilings, (size[0], size[1]), output, block, (1, 1, 64, 64))
    every = list(plan.regions)
    assert plan.tiles == sum(map(plan.cut.tiles, every))
    assert plan.pixels_written == sum(region.size for region in every)
    passed = sum(plan.cut.pixels_first(one) + plan.cut.pixels_last(one) for one in every) / 2
    assert plan.redundancy == passed / plan.pixels_written
    largest = plan.cut.reads(plan.largest_region).size
    assert largest == max(plan.cut.reads(one).size for one in every)


def test_a_tile_too_small_for_its_halo_is_refused() -> None:
    with pytest.raises(InputError, match="halo"):
        plan_of(Tiling(32, 20, 4, "crop"), 300, 300)
