from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from stable_tiles.evaluate.segment import Classical, Plane, merge_shallow

DIAMETER = 20.0


def blobs(*centres: tuple[float, float], sd: float = 4.0) -> Plane:
    """Gaussian blobs on a dark background."""
    y, x = np.mgrid[:80, :80]
    light = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * sd * sd)) for a, b in centres)
    return np.asarray(100 + 900 * light, np.float32)


def found(plane: Plane) -> int:
    """How many things there are in a plane."""
    labels = Classical.fit(DIAMETER, [plane])(plane)
    return len(np.unique(labels)) - 1


def test_a_nucleus_with_two_bright_spots_is_one_thing() -> None:
    y, x = np.mgrid[:80, :80]
    disc = ndimage.gaussian_filter(((y - 40) ** 2 + (x - 40) ** 2 < 14**2).astype(float), 2)
    spots = blobs((40, 32), (40, 47), sd=3) - 100
    assert found((100 + 900 * disc + 0.25 * spots).astype(np.float32)) == 1


@pytest.mark.parametrize("gap", [17, 20, 30])
def test_two_cells_that_touch_stay_two(gap: int) -> None:
    assert found(blobs((40, 40 - gap / 2), (40, 40 + gap / 2), sd=5)) == 2


def test_a_constant_plane_holds_nothing() -> None:
    assert found(np.full((50, 60), 7, np.float32)) == 0


def test_basins_stay_apart_where_the_dip_is_deep_or_the_way_far() -> None:
    smooth = np.array([[5, 10, 9.5, 10, 3, 10, 5]], np.float32)
    around = np.array([[1, 1, 2, 2, 2, 3, 3]], np.int32)
    joined = merge_shallow(smooth, around, 0, DIAMETER)
    assert joined.tolist() == [[1, 1, 1, 1, 1, 2, 2]]
    far = merge_shallow(smooth, around, 0, 2.0)
    assert far.tolist() == around.tolist()


def test_a_single_basin_stays_as_it_is() -> None:
    around = np.ones((4, 5), np.int32)
    smooth = np.arange(20, dtype=np.float32).reshape(4, 5)
    assert (merge_shallow(smooth, around, 0, DIAMETER) == 1).all()
