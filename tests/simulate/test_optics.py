from __future__ import annotations

import numpy as np
import pytest

from stable_tiles.simulate.optics import Blur, Camera

CAMERA = Camera(photons=50.0, gain=4.0, offset=100.0, read_noise=5.0, dtype="uint16")


@pytest.mark.parametrize("brightness", [0.0, 0.5, 4.0])
def test_the_variance_of_counts_grows_with_their_mean(brightness: float) -> None:
    plane = np.full((300, 300), brightness, np.float32)
    counts = CAMERA.expose(plane, np.random.default_rng(0)).astype(float)
    mean = CAMERA.expected(plane)[0, 0]
    assert abs(counts.mean() - mean) < 0.5
    variance = CAMERA.gain * (mean - CAMERA.offset) + CAMERA.read_noise**2 + 1 / 12
    assert abs(counts.var() / variance - 1) < 0.05


def test_counts_are_clipped_to_the_dtype() -> None:
    camera = Camera(photons=100.0, gain=10.0, offset=0.0, read_noise=20.0, dtype="uint8")
    bright = camera.expose(np.ones((8, 8), np.float32), np.random.default_rng(0))
    dark = camera.expose(np.zeros((64, 64), np.float32), np.random.default_rng(0))
    assert bright.dtype == np.uint8
    assert (bright == 255).all()
    assert dark.min() == 0


@pytest.mark.parametrize("blur", [Blur(0.9), Blur(0.9, 5.0, 0.2)])
def test_a_blur_keeps_the_light_and_reaches_no_further_than_it_says(blur: Blur) -> None:
    point = np.zeros((61, 61), np.float32)
    point[30, 30] = 1
    spread = blur(point)
    assert abs(spread.sum() - 1) < 1e-5
    rows, columns = np.nonzero(spread)
    assert max(np.abs(rows - 30).max(), np.abs(columns - 30).max()) == blur.reach
