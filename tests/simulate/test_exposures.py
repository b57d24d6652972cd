"""The two tasks of few and many photons, and what they have in common."""

from __future__ import annotations

import numpy as np
import pytest

from stable_tiles.region import Region
from stable_tiles.simulate.exposures import Exposures
from stable_tiles.simulate.optics import Camera
from stable_tiles.simulate.penicillium import Penicillium
from stable_tiles.simulate.planaria import Planaria
from stable_tiles.simulate.scene import Scene, View
from tests.simulate.noise import assert_variance_follows_the_mean

SIZE = 256
TASKS: dict[str, Penicillium | Planaria] = {"penicillium": Penicillium(), "planaria": Planaria()}


def region(*sections: int, size: int = SIZE) -> Region:
    """A run of sections of the whole plane."""
    return Region((0, sections[0], 0, 0), (1, sections[-1] + 1, size, size))


def cameras(microscope: Exposures) -> tuple[tuple[View, Camera], tuple[View, Camera]]:
    return ("a", microscope.low), ("b", microscope.high)


def scene(name: str, number: int = 0, size: int = SIZE) -> Scene:
    return Scene(TASKS[name], 0, f"test/{number:04}", size)


@pytest.mark.parametrize("name", TASKS)
def test_variance_is_proportional_to_the_mean_in_both_exposures(name: str) -> None:
    microscope = TASKS[name].microscope
    for view, camera in cameras(microscope):
        clean = scene(name).render(region(2), view, noise=False)
        assert_variance_follows_the_mean(camera, scene(name).render(region(2), view), clean)


@pytest.mark.parametrize("name", TASKS)
def test_both_exposures_show_the_same_specimen(name: str) -> None:
    microscope = TASKS[name].microscope
    specimens = []
    for view, camera in cameras(microscope):
        counts = scene(name).render(region(2), view, noise=False).astype(float)
        specimens.append((counts - camera.offset) / (camera.gain * camera.photons))
    np.testing.assert_allclose(specimens[0], specimens[1], atol=1e-4)


@pytest.mark.parametrize(("name", "paper"), [("penicillium", 0.635), ("planaria", 0.398)])
def test_few_photons_correlate_with_many_as_in_the_paper(name: str, paper: float) -> None:
    found = []
    for number in range(6):
        low = scene(name, number).render(region(2), "a").ravel()
        high = scene(name, number).render(region(2), "b").ravel()
        found.append(np.corrcoef(low, high)[0, 1])
    assert abs(np.median(found) - paper) < 0.06


@pytest.mark.parametrize(("name", "near", "far"), [("penicillium", 1, 120), ("planaria", 1, 13)])
def test_sections_belong_to_one_volume(name: str, near: int, far: int) -> None:
    first, second, last = (
        scene(name).render(region(2 + k), "b", noise=False).ravel() for k in (0, near, far)
    )
    assert np.corrcoef(first, second)[0, 1] > 0.6
    assert np.corrcoef(first, last)[0, 1] < 0.5


def test_a_nucleus_of_a_worm_keeps_its_number_from_section_to_section() -> None:
    upper, lower = scene("planaria").render(region(2, 3), "labels")[0, 0]
    both = np.intersect1d(upper[upper > 0], lower[lower > 0])
    assert len(both) > 0.3 * len(np.unique(upper))
    for number in both[:40]:
        middles = [np.argwhere(numbers == number).mean(axis=0) for numbers in (upper, lower)]
        assert np.hypot(*(middles[0] - middles[1])) < 6


def test_nuclei_of_a_worm_are_bright_and_of_the_size_of_nuclei() -> None:
    labels = scene("planaria").render(region(2), "labels")[0, 0, 0]
    light = scene("planaria").render(region(2), "b", noise=False)[0, 0, 0]
    assert light[labels > 0].mean() > 3 * light[labels == 0].mean()
    _, areas = np.unique(labels[labels > 0], return_counts=True)
    diameters_um = 2 * np.sqrt(areas / np.pi) * Planaria().pixel_size_um
    assert 3.5 < np.median(diameters_um) < 7
    assert diameters_um.max() < 10


def test_walls_of_hyphae_outshine_what_they_enclose() -> None:
    """Across a hypha the light rises twice; without the wall, once."""
    task = Penicillium(grain=0.0)
    hollow, solid = (
        Scene(t, 0, "test/0000", SIZE).render(region(2), "b", noise=False)[0, 0, 0].astype(float)
        for t in (task, Penicillium(grain=0.0, wall=0.0))
    )
    bright = solid > np.percentile(solid, 97)
    assert hollow[bright].mean() < np.percentile(hollow, 99)
    assert 0.03 < (solid > 0.5 * np.percentile(solid, 99)).mean() < 0.4


@pytest.mark.parametrize(("name", "um"), [("penicillium", (0.1, 0.34)), ("planaria", (2.0, 0.4))])
def test_axes_have_physical_scales(name: str, um: tuple[float, float]) -> None:
    axes = TASKS[name].axes("zyx", SIZE)
    assert axes.scale == {"z": um[0], "y": um[1], "x": um[1]}
