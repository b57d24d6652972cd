"""Movies and volumes: many small planes, batched over t and z."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stable_tiles.image.store import open_image
from stable_tiles.region import Region
from stable_tiles.translate.options import StoreOptions
from stable_tiles.translate.verb import translate
from tests.translate.scenes import domain, noise, options, save_image, save_model, whole_plane


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return save_model(tmp_path / "run", domains={"a": domain(1), "b": domain(1, "float32")})


def test_hundreds_of_small_frames_are_each_what_they_are_alone(tmp_path: Path, run: Path) -> None:
    pixels = save_image(tmp_path / "a.zarr", noise(300, 1, 1, 32, 32), "tyx", t=0.05, y=2, x=2)
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run))
    made = open_image(tmp_path / "b.zarr")
    assert made.shape == (300, 1, 1, 32, 32)
    assert report.regions < 10
    assert made.axes.scale == {"t": 0.05, "y": 2, "x": 2}
    assert made.axes.units == {"t": "second", "y": "micrometer", "x": "micrometer"}
    frames = made.read(Region((0, 0, 0, 0), (300, 1, 32, 32)))[:, :, 0]
    for t in (0, 1, 150, 299):
        alone = whole_plane(run, pixels[t : t + 1, :, 0] / np.float32(255))
        assert np.array_equal(frames[t : t + 1], alone)


def test_every_level_of_a_volume_over_time_keeps_axes_and_extent(tmp_path: Path, run: Path) -> None:
    scale = {"t": 1.5, "z": 3.0, "y": 0.5, "x": 0.25}
    pixels = save_image(tmp_path / "a.zarr", noise(3, 1, 5, 70, 90), "tzyx", **scale)
    small = StoreOptions(chunk=32, shard=64)
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, store=small))
    made = open_image(tmp_path / "b.zarr")
    assert made.axes.names == "tzyx"
    for k, level in enumerate(made.levels):
        assert level.shape == (3, 1, 5, -(-70 // 2**k), -(-90 // 2**k))
        assert made.multiscale.scales[k] == (1.5, 3.0, 0.5 * 2**k, 0.25 * 2**k)
    assert len(made.levels) == 3
    plane = made.read(Region((2, 4, 0, 0), (3, 5, 70, 90)))[:, :, 0]
    assert np.array_equal(plane, whole_plane(run, pixels[2:3, :, 4] / np.float32(255)))
