from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.region import Region
from stable_tiles.simulate.calcium import Calcium
from stable_tiles.simulate.gcamp import Gcamp
from stable_tiles.simulate.scene import BLOCK, FRAMES, Scene, View
from stable_tiles.simulate.tasks import TASKS, load_task

SIZE = 2 * BLOCK
VIEWS = [
    (task, view)
    for task in sorted(TASKS)
    for view in ("a", "b", "labels")
    if view in load_task(task).pictures(load_task(task).extent.channels.start)
]
ENDLESS = sorted(set(TASKS) - {"mri"})
"""Tasks whose scenes have no middle."""


def scene(task: str, seed: int = 0, name: str = "test/0000", size: int = SIZE) -> Scene:
    loaded = load_task(task)
    return Scene(loaded, seed, name, size, loaded.extent.channels.start)


@pytest.fixture(scope="module")
def wholes() -> dict[tuple[str, str], np.ndarray]:
    region = Region((0, 0, 0, 0), (1, 1, SIZE, SIZE))
    return {(t, v): scene(t).render(region, cast(View, v)) for t, v in VIEWS}


@pytest.mark.parametrize(("task", "view"), VIEWS)
@given(data=st.data())
@settings(deadline=None, max_examples=4)
def test_a_window_equals_the_whole_bit_for_bit(
    wholes: dict[tuple[str, str], np.ndarray], task: str, view: View, data: st.DataObject
) -> None:
    y0, x0 = (data.draw(st.integers(0, SIZE - 1)) for _ in range(2))
    y1, x1 = (data.draw(st.integers(low + 1, SIZE)) for low in (y0, x0))
    window = scene(task).render(Region((0, 0, y0, x0), (1, 1, y1, x1)), view)
    np.testing.assert_array_equal(window, wholes[task, view][..., y0:y1, x0:x1])


@given(st.integers(0, 20), st.integers(1, 3), st.integers(0, 3), st.integers(1, 2))
@settings(deadline=None, max_examples=5)
def test_frames_and_sections_can_be_asked_for_alone(
    frame: int, frames: int, section: int, sections: int
) -> None:
    movie = scene("calcium")
    stop = (frame + frames, section + sections)
    block = movie.render(Region((frame, section, 30, 40), (*stop, 62, 80)), "a")
    last = Region((stop[0] - 1, stop[1] - 1, 30, 40), (*stop, 62, 80))
    np.testing.assert_array_equal(movie.render(last, "a")[0, :, 0], block[-1, :, -1])


def test_a_long_movie_is_painted_piece_by_piece_to_the_same_frames() -> None:
    movie = scene("calcium").render(Region((FRAMES - 2, 0, 0, 0), (FRAMES + 2, 1, 20, 30)), "a")
    for k, frame in enumerate(range(FRAMES - 2, FRAMES + 2)):
        alone = scene("calcium").render(Region((frame, 0, 0, 0), (frame + 1, 1, 20, 30)), "a")
        np.testing.assert_array_equal(alone[0], movie[k])


@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize("view", ["a", "b"])
def test_blocks_leave_no_seam(task: str, view: View) -> None:
    region = Region((0, 0, 0, BLOCK - 64), (1, 1, 3 * BLOCK, BLOCK + 64))
    whole = scene(task, size=3 * BLOCK)  # the middle of a head is not at the edge of a block
    clean = whole.render(region, view, noise=False)[0, :, 0].astype(float)
    steps = np.abs(np.diff(clean, axis=-1)).mean(axis=(0, 1))
    assert steps[63] < 1.15 * max(*steps[61:63], *steps[64:66])


@pytest.mark.parametrize("task", ENDLESS)
@pytest.mark.parametrize("view", ["a", "b"])
def test_a_scene_far_away_is_as_sharp_and_as_bright(task: str, view: View) -> None:
    def statistics(start: int) -> tuple[float, float]:
        region = Region((0, 0, start, start), (1, 1, start + SIZE, start + SIZE))
        clean = scene(task).render(region, view, noise=False).astype(float)
        return float(clean.mean()), float(np.abs(np.diff(clean, axis=-1)).mean())

    np.testing.assert_allclose(statistics(390 * BLOCK), statistics(0), rtol=0.25)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_seed_and_the_name_make_the_scene(task: str) -> None:
    region = Region((0, 0, 0, 0), (1, 1, 128, 128))
    first = scene(task).render(region, "a").astype(float)
    np.testing.assert_array_equal(first, scene(task).render(region, "a"))
    for other in (scene(task, seed=1), scene(task, name="train/A/0000")):
        pixels = other.render(region, "a").astype(float)
        means = (first.mean(axis=(3, 4), keepdims=True), pixels.mean(axis=(3, 4), keepdims=True))
        product = ((first - means[0]) * (pixels - means[1])).mean()
        assert abs(product) < 0.35 * first.std() * pixels.std()


@pytest.mark.parametrize(
    ("task", "floor"), [("calcium", 0.965), ("dapi", 0.9), ("he", 0.93), ("mri", 0.965)]
)
def test_noise_is_moderate_and_new_in_every_exposure(task: str, floor: float) -> None:
    region = Region((0, 0, 0, 0), (1, 1, BLOCK, BLOCK))
    views: tuple[View, ...] = ("a", "b")
    for view in views:
        noisy = scene(task).render(region, view).astype(float)
        clean = scene(task).render(region, view, noise=False)
        correlation = np.corrcoef(noisy.ravel(), clean.ravel())[0, 1]
        assert floor < correlation < 0.9995


def test_noise_does_not_repeat_from_frame_to_frame() -> None:
    silent = Scene(Calcium(gcamp=Gcamp(amplitude=0.0)), 0, "x", SIZE)
    region = Region((0, 0, 0, 0), (2, 1, BLOCK, BLOCK))
    clean = silent.render(region, "a", noise=False)
    np.testing.assert_array_equal(clean[0], clean[1])
    noise = silent.render(region, "a") - clean
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.02


def test_labels_do_not_depend_on_the_window_but_know_the_image() -> None:
    region = Region((0, 0, 100, 100), (1, 1, 200, 200))
    small, large = (Scene(load_task("calcium"), 0, "x", size) for size in (512, 4096))
    numbers = [s.render(region, "labels") for s in (small, large)]
    np.testing.assert_array_equal(numbers[0] > 0, numbers[1] > 0)
    assert len(np.unique(numbers[0])) == len(np.unique(numbers[1]))
