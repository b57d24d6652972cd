from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stable_tiles.errors import NotAnImage
from stable_tiles.image.sources.omezarr import StoreSource
from stable_tiles.region import Region
from tests.image.stores import write_store


def test_a_store_reads_as_it_is(tmp_path: Path) -> None:
    pixels = np.arange(3 * 2 * 90 * 70, dtype=np.uint16).reshape(3, 2, 90, 70)
    write_store(tmp_path / "a.zarr", pixels, "tcyx")
    source = StoreSource(tmp_path / "a.zarr")
    described = source.description
    assert described.shape == (3, 2, 1, 90, 70)
    assert described.axes.scale["x"] == 0.5
    assert described.bytes_in > 0
    region = Region((1, 0, 5, 6), (3, 1, 80, 60))
    assert np.array_equal(source.read(region)[:, :, 0], pixels[1:3, :, 5:80, 6:60])


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAnImage):
        StoreSource(tmp_path)
