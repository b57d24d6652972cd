from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stable_tiles.benchmark.saliency import threshold
from stable_tiles.settings import Normalization
from tests.train.stores import write_store


def test_the_threshold_lies_between_objects_and_ground(tmp_path: Path) -> None:
    pixels = np.full((1, 1, 1, 40, 40), 100, "uint8")
    pixels[..., :10] = 200
    pixels[0, 0, 0, :2] = [[50], [255]]
    write_store(tmp_path / "a.zarr", pixels)
    found = threshold([tmp_path / "a.zarr"], Normalization(kind="range", low=0, high=255))
    assert 100 <= found < 200


def test_an_even_image_has_the_middle(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", np.full((1, 1, 1, 40, 40), 7, "uint8"))
    assert threshold([tmp_path / "a.zarr"], Normalization(kind="range")) == pytest.approx(127.5)
