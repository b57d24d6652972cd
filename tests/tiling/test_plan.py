from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError
from stable_tiles.region import Region
from stable_tiles.tiling.axis import Tiling
from stable_tiles.tiling.plan import Plan, auto_tile, plan_regions

SHARD = (1, 1, 64, 64)


def plan_of(tiling: Tiling, height: int, width: int, side: int = 64) -> Plan:
    output = Region.whole((1, 1, height, width))
    regions = list(output.divide((1, 1, side, side)))
    return plan_regions(tiling, (height, width), output, regions, (1, 1, side, side))


def test_a_plane_in_one_tile_costs_no_redundancy() -> None:
    plan = plan_of(Tiling(128, 20, 4, "crop"), 60, 64)
    assert plan.tiles == 1
    assert plan.redundancy == 1


@given(st.integers(1, 300), st.integers(1, 300))
@settings(deadline=None, max_examples=30)
def test_cropped_tiles_are_computed_once_whatever_the_regions(height: int, width: int) -> None:
    plan = plan_of(Tiling(72, 10, 4, "crop"), height, width)
    everything = plan.grid.count(Region.whole((height, width)))
    assert plan.tiles == everything
    assert plan.pixels_written == height * width


@pytest.mark.parametrize(
    ("halo", "stride", "most", "pixels"),
    [(58, 4, 1.10, 18_500_000), (130, 8, 1.30, 5_500_000)],
    ids=["three levels", "four levels"],
)
def test_default_tiles_keep_redundancy_low_on_large_planes(
    halo: int, stride: int, most: float, pixels: int
) -> None:
    tile = auto_tile((4096, 4096), halo, stride, pixels)
    plan = plan_of(Tiling(tile, halo, stride, "crop"), 16384, 16384, 4096)
    assert plan.redundancy <= most
    assert plan.grid.largest[0] * plan.grid.largest[1] <= pixels


@given(
    st.integers(1, 5000), st.integers(0, 300), st.sampled_from([1, 4, 8, 16]), st.integers(1, 10**7)
)
@settings(deadline=None, max_examples=60)
def test_an_automatic_tile_always_has_room_between_its_halos(
    side: int, halo: int, stride: int, pixels: int
) -> None:
    tile = auto_tile((side, side), halo, stride, pixels)
    plan_of(Tiling(tile, halo, stride, "crop"), 2 * side, side, side)


def test_a_window_of_the_source_is_planned_where_it_lies() -> None:
    output = Region((2, 0, 30, 50), (4, 1, 130, 150))
    regions = list(Region.whole(output.shape).divide(SHARD))
    plan = plan_regions(Tiling(60, 8, 4, "crop"), (200, 300), output, regions, SHARD)
    assert plan.origin == (2, 0, 30, 50)
    assert plan.plane(Region((0, 0, 64, 0), (1, 1, 100, 64))) == Region((94, 50), (130, 114))
    assert plan.grid.rows[0].read_start == 20
    assert plan.grid.rows[-1].read_stop >= 138


def test_regions_that_share_a_shard_are_refused() -> None:
    output = Region.whole((1, 1, 128, 128))
    regions = list(output.divide((1, 1, 32, 64)))
    with pytest.raises(ValueError, match="whole shards"):
        plan_regions(Tiling(64, 4, 4, "crop"), (128, 128), output, regions, SHARD)


def test_regions_that_leave_a_hole_are_refused() -> None:
    output = Region.whole((1, 1, 128, 128))
    regions = list(output.divide(SHARD))[1:]
    with pytest.raises(ValueError, match="partition"):
        plan_regions(Tiling(64, 4, 4, "crop"), (128, 128), output, regions, SHARD)


def test_a_tile_too_small_for_its_halo_is_refused() -> None:
    with pytest.raises(InputError, match="halo"):
        plan_of(Tiling(32, 20, 4, "crop"), 300, 300)
