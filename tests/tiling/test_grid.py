from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.region import Region
from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.grid import TileGrid
from tests.tiling.strategies import blend_tilings, crop_tilings

SIDES = st.integers(1, 200)


def grid_over(tiling: Tiling, height: int, width: int, period: int) -> TileGrid:
    return TileGrid.cover(
        tiling, Window(height, 0, height, period), Window(width, 0, width, period)
    )


@given(tiling=st.one_of(crop_tilings(), blend_tilings()), height=SIDES, width=SIDES)
@settings(deadline=None, max_examples=60)
def test_the_weights_of_any_grid_sum_to_one_at_every_pixel(
    tiling: Tiling, height: int, width: int
) -> None:
    grid = grid_over(tiling, height, width, 64)
    total = np.zeros((height, width))
    for tile in grid.tiles(Region.whole((height, width))):
        total[tile.core.slices] += grid.weights(tile)
        assert tile.read.contains(tile.core)
    assert np.allclose(total, 1, atol=1e-6)


@given(tiling=st.one_of(crop_tilings(), blend_tilings()), data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_region_gets_all_tiles_that_reach_into_it_and_knows_what_they_read(
    tiling: Tiling, data: st.DataObject
) -> None:
    grid = grid_over(tiling, 150, 170, 64)
    top, left = data.draw(st.integers(0, 140)), data.draw(st.integers(0, 160))
    region = Region((top, left), (data.draw(st.integers(top + 1, 150)), left + 10))
    everything = list(grid.tiles(Region.whole((150, 170))))
    expected = [tile for tile in everything if tile.core.intersect(region)]
    assert list(grid.tiles(region)) == expected
    assert grid.count(region) == len(expected)
    assert grid.pixels_read(region) == sum(tile.read.size for tile in expected)
    box = grid.reads(region)
    assert box.start == (
        min(tile.read.start[0] for tile in expected),
        min(tile.read.start[1] for tile in expected),
    )
    assert box.stop == (
        max(tile.read.stop[0] for tile in expected),
        max(tile.read.stop[1] for tile in expected),
    )


def test_the_largest_forward_pass_is_within_the_tile() -> None:
    grid = grid_over(Tiling(100, 10, 8, "crop"), 1000, 70, 256)
    height, width = grid.largest
    assert height <= 100
    assert width == 70
