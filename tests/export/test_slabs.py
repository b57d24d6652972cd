from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.export import slabs as module
from stable_tiles.export.slabs import slabs
from stable_tiles.region import Region

SIDES = st.integers(1, 9)


@settings(deadline=None, max_examples=200)
@given(
    shape=st.tuples(SIDES, SIDES, SIDES, SIDES),
    pixel_bytes=st.integers(1, 8),
    grid=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    budget=st.integers(1, 3000),
)
def test_the_cells_of_all_slabs_are_the_image_in_row_major_order(
    shape: tuple[int, int, int, int], pixel_bytes: int, grid: tuple[int, int], budget: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SLAB_BYTES", budget)
        regions = slabs(shape, pixel_bytes, grid)
    numbers = np.arange(np.prod(shape)).reshape(shape)
    cells = []
    for region in regions:
        for t, z in np.ndindex(region.shape[:2]):
            plane = numbers[region.slices][t, z]
            cells += [plane[cell.slices] for cell in Region.whole(plane.shape).divide(grid)]
    expected = [
        plane[cell.slices]
        for plane in numbers.reshape(-1, *shape[2:])
        for cell in Region.whole(shape[2:]).divide(grid)
    ]
    assert [cell.tolist() for cell in cells] == [cell.tolist() for cell in expected]
    largest = max(region.size for region in regions) * pixel_bytes
    assert largest <= max(budget, grid[0] * grid[1] * pixel_bytes)


def test_rows_of_full_width_are_in_order_too() -> None:
    regions = slabs((2, 2, 5000, 30_000), 2, (1, 30_000))
    assert all(region.shape[:2] == (1, 1) and region.shape[3] == 30_000 for region in regions)
    assert regions == sorted(regions)
