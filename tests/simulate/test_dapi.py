from __future__ import annotations

from dataclasses import replace
from math import cos

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from stable_tiles.region import Region
from stable_tiles.simulate.dapi import Dapi, Interference
from stable_tiles.simulate.scene import Scene
from tests.simulate.noise import assert_variance_follows_the_mean

SIZE = 384
SCENE = Scene(Dapi(), 0, "test/0000", SIZE)
REGION = Region((0, 0, 0, 0), (1, 1, SIZE, SIZE))


@pytest.fixture(scope="module")
def views() -> dict[str, np.ndarray]:
    """Noiseless planes of both domains, and the numbers of nuclei."""
    domains = {v: SCENE.render(REGION, v, noise=False)[0, 0, 0] for v in ("a", "b")}
    return {**domains, "labels": SCENE.render(REGION, "labels")[0, 0, 0]}


def relief(optics: Interference) -> np.ndarray:
    """Light behind cells less that behind the empty dish, without lamp or noise."""
    scene = Scene(Dapi(interference=optics, shading=0.0), 0, "test/0000", SIZE)
    light = np.asarray(scene.render(REGION, "a", noise=False)[0, 0, 0], float)
    return np.asarray(light - np.median(light), float)


def test_the_empty_dish_has_the_brightness_of_the_bias() -> None:
    task = Dapi(shading=0.0)
    light = Scene(task, 0, "test/0000", SIZE).render(REGION, "a", noise=False)
    camera = task.transmitted
    expected = camera.gain * camera.photons * (1 - cos(task.interference.bias)) / 2 + camera.offset
    assert abs(np.median(light) / expected - 1) < 0.005


def test_turning_the_shear_half_way_round_swaps_light_and_shadow() -> None:
    focused = Interference(focus_um=0.0)
    there, back = relief(focused), relief(replace(focused, direction_deg=225.0))
    assert np.corrcoef(there.ravel(), back.ravel())[0, 1] < -0.9


def test_light_and_shadow_lie_along_the_shear() -> None:
    """Cells facing one beam are bright there: A is a derivative of thickness along x, not y."""
    flat = relief(Interference(direction_deg=0.0, focus_um=0.0, granules=0.0))
    stained = SCENE.render(REGION, "b", noise=False)[0, 0, 0].astype(float)
    along_y, along_x = np.gradient(np.log(stained))
    assert np.corrcoef(flat.ravel(), along_x.ravel())[0, 1] > 0.3
    assert abs(np.corrcoef(flat.ravel(), along_y.ravel())[0, 1]) < 0.1


def test_without_cells_there_is_nothing_to_see() -> None:
    """Where the refractive indices are equal, only the bias remains."""
    same = Interference(cytoplasm=1.337, nucleus=1.337, nucleolus=1.337)
    assert np.abs(relief(same)).max() < 1


def test_nuclei_shine_in_dapi_and_lie_in_what_is_seen_of_cells(
    views: dict[str, np.ndarray],
) -> None:
    nuclei = views["labels"] > 0
    assert views["b"][nuclei].mean() > 8 * views["b"][~nuclei].mean()
    dish = distance_transform_edt(~nuclei) > 25
    assert views["a"][nuclei].std() > 2 * views["a"][dish].std()


def test_nuclei_are_of_the_size_and_number_of_nuclei(views: dict[str, np.ndarray]) -> None:
    _, areas = np.unique(views["labels"][views["labels"] > 0], return_counts=True)
    diameters_um = 2 * np.sqrt(areas / np.pi) * Dapi().pixel_size_um
    assert 9 < np.median(diameters_um) < 15
    assert 60 < len(areas) < 160


def test_noise_variance_grows_with_the_mean(views: dict[str, np.ndarray]) -> None:
    noisy = SCENE.render(REGION, "b")[0, 0, 0]
    assert_variance_follows_the_mean(Dapi().widefield, noisy, views["b"])


def test_sections_focus_through_one_layer_of_cells() -> None:
    stack = Scene(Dapi(), 0, "test/0000", SIZE, sections=5)
    region = Region((0, 0, 0, 0), (1, 5, SIZE, SIZE))
    b = stack.render(region, "b", noise=False)[0, 0].astype(float)
    sharpness = np.abs(np.diff(b, axis=-1)).mean(axis=(1, 2))
    assert sharpness.argmax() == 2
    np.testing.assert_allclose(b.mean(axis=(1, 2)), b.mean(), rtol=0.02)
    labels = stack.render(region, "labels")[0, 0]
    np.testing.assert_array_equal(labels[0], labels[4])
    a = stack.render(region, "a", noise=False)[0, 0]
    assert np.corrcoef(a[0].ravel(), a[4].ravel())[0, 1] < 0.98
