"""Drift: its size in pixels of level 0, and none where there is only noise."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from stable_tiles.image.store import Image
from stable_tiles.translate.drift import find_drift
from tests.train.stores import write_store

SIDE = 96


def movie(path: Path, path_px: list[tuple[float, float]], photons: float, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    cells = gaussian_filter((rng.random((SIDE, SIDE)) < 0.01).astype(float), 3)
    scene = photons * (0.3 + cells / cells.max())
    frames = [rng.poisson(shift(scene, at, order=1, mode="nearest")) for at in path_px]
    return write_store(path, np.stack(frames)[:, None, None].astype("uint16"), "tyx")


@pytest.mark.parametrize("photons", [2.0, 100.0])
@pytest.mark.parametrize("drift", [(0.0, 3.0), (-2.5, 1.5), (0.0, 0.0)])
def test_a_movement_is_found_to_a_fraction_of_a_pixel(
    tmp_path: Path, photons: float, drift: tuple[float, float]
) -> None:
    n = 64
    places = [(0.0, 0.0)] * (3 * n // 4) + [drift] * (n // 4)
    found = find_drift(movie(tmp_path / "m.zarr", places, photons))
    assert found.pixels == pytest.approx(np.hypot(*drift), abs=0.4)


@pytest.mark.parametrize("seed", range(4))
def test_noise_alone_does_not_move(tmp_path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).poisson(2.0, (40, 1, 1, 64, 64)).astype("uint16")
    assert find_drift(write_store(tmp_path / "m.zarr", pixels, "tyx")).pixels <= 1.0


@pytest.mark.parametrize("length", [1, 2, 3])
def test_very_short_and_black_movies_do_not_move(tmp_path: Path, length: int) -> None:
    black = np.zeros((length, 1, 1, 32, 32), "uint8")
    assert find_drift(write_store(tmp_path / "m.zarr", black, "tyx")).pixels == 0


@pytest.mark.parametrize("seed", range(3))
def test_cells_in_rows_that_fire_in_turn_do_not_move(tmp_path: Path, seed: int) -> None:
    rng, pitch = np.random.default_rng(seed), 12
    y, x = np.indices((SIDE, SIDE)) % pitch - (pitch - 1) / 2
    disc, cells = np.hypot(y, x) < 4, SIDE // pitch
    frames = []
    for _ in range(16):
        bright = np.kron(rng.choice([1, 5], (cells, cells)), np.ones((pitch, pitch)))
        frames.append(rng.poisson(1 + disc * bright, (4, SIDE, SIDE)))
    pixels = np.concatenate(frames)[:, None, None].astype("uint16")
    assert find_drift(write_store(tmp_path / "m.zarr", pixels, "tyx")).pixels <= 1.0
