from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError
from stable_tiles.simulate.cells import Box, Grid, Outlines, Sites, Stamps
from stable_tiles.simulate.streams import Stream

GRID = Grid(17.0, 0.2)
STREAM = Stream((0, "cells"))


def circles(radius: float, count: int) -> Outlines:
    ones = np.ones(count)
    return Outlines(radius * ones, ones, 0 * ones, np.zeros((count, 3)), np.zeros((count, 3)))


def places(sites: Sites) -> set[tuple[int, int]]:
    return set(zip(sites.iy.tolist(), sites.ix.tolist(), strict=True))


@given(st.integers(-300, 10**6), st.integers(-300, 10**6), st.floats(0, 30))
@settings(deadline=None, max_examples=20)
def test_no_site_within_the_margin_is_missed(y: int, x: int, margin: float) -> None:
    sites = GRID.sites(STREAM, (y, x, y + 60, x + 80), margin)
    more = GRID.sites(STREAM, (y - 100, x - 100, y + 160, x + 180), 50)
    near = (more.y > y - margin) & (more.y < y + 60 + margin)
    near &= (more.x > x - margin) & (more.x < x + 80 + margin)
    assert places(sites) == places(more.keep(near))


def test_the_grids_of_two_scenes_are_not_aligned() -> None:
    still = Grid(17.0, 0.0)
    phases = [still.sites(Stream((n, "s")), (0, 0, 90, 90), 0).x[0] % 17 for n in range(20)]
    assert np.std(phases) > 3


def test_sites_are_as_dense_as_a_hexagonal_grid() -> None:
    sites = GRID.sites(STREAM, (0, 0, 1000, 1000), 0)
    assert abs(len(sites) / (1e6 / (GRID.spacing * GRID.row_pitch)) - 1) < 0.02


@given(st.integers(16, 3000), st.integers(0, 5))
@settings(deadline=None, max_examples=20)
def test_label_numbers_are_unique_and_positive(size: int, plane: int) -> None:
    sites = GRID.sites(STREAM, (0, 0, size, size), 12)
    numbers = GRID.numbers(sites, size, plane)
    assert len(np.unique(numbers)) == len(sites)
    assert numbers.min() > 0
    assert not set(numbers.tolist()) & set(GRID.numbers(sites, size, plane + 1).tolist())


def test_more_cells_than_labels_can_number_are_refused() -> None:
    sites = GRID.sites(STREAM, (0, 0, 64, 64), 12)
    assert GRID.numbers(sites, 10**6, 0).max() > 0
    with pytest.raises(InputError, match="fewer --slices"):
        GRID.numbers(sites, 10**6, 1)


def test_the_distance_to_a_circle_is_exact() -> None:
    sites = GRID.sites(STREAM, (0, 0, 40, 40), 0)
    dy, dx = Stamps(sites, (0, 0, 40, 40), 10).offsets()
    distance = circles(6.0, len(sites)).distance(dy, dx)
    np.testing.assert_allclose(distance, np.hypot(dy, dx) - 6, atol=1e-4)


def test_an_ellipse_keeps_its_area_and_lies_along_its_angle() -> None:
    one = np.ones(1)
    ellipse = Outlines(8 * one, 3 * one, 0.5 * one, np.zeros((1, 3)), np.zeros((1, 3)))
    dy, dx = (a.astype(float) for a in np.ogrid[-20:21, -20:21])
    inside = ellipse.distance(dy[None], dx[None])[0] < 0
    assert abs(inside.sum() / (np.pi * 64) - 1) < 0.05
    y, x = np.nonzero(inside)
    _, axes = np.linalg.eigh(np.cov(np.stack([x, y])))
    along = axes[:, -1]
    assert abs(abs(along @ [np.cos(0.5), np.sin(0.5)]) - 1) < 0.01


@given(st.integers(-100, 10**5), st.integers(-100, 10**5))
@settings(deadline=None, max_examples=10)
def test_every_pixel_belongs_to_its_nearest_cell(y: int, x: int) -> None:
    box: Box = (y, x, y + 50, x + 40)
    sites = GRID.sites(STREAM, box, 13)
    stamps = Stamps(sites, box, 12)
    distance = circles(6.0, len(sites)).distance(*stamps.offsets())
    owner, (found, carried) = stamps.nearest(distance, [-distance])
    rows, columns = np.mgrid[y : y + 50, x : x + 40]
    true = np.hypot(rows[..., None] - sites.y, columns[..., None] - sites.x) - 6
    near = true.min(axis=-1) < 5
    np.testing.assert_allclose(found[near], true.min(axis=-1)[near], atol=1e-3)
    assert (owner == true.argmin(axis=-1))[near].mean() > 0.999
    np.testing.assert_array_equal(carried[near], -found[near])
    assert np.isinf(found[owner < 0]).all()
