from __future__ import annotations

import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from stable_tiles.errors import NotAnImage
from stable_tiles.image.sources import SourceWarning, open_source
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


def zipped(store: Path, archive: Path, prefix: str = "", compression: int = 0) -> Path:
    with zipfile.ZipFile(archive, "w", compression) as file:
        for path in sorted(store.rglob("*")):
            if path.is_file():
                file.write(path, f"{prefix}{path.relative_to(store)}")
    return archive


@pytest.mark.parametrize("prefix", ["", "a.zarr/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("shard", [128, 0], ids=["0.5", "0.4"])
def test_a_zipped_store_reads_as_the_store_does_from_threads_too(
    tmp_path: Path, prefix: str, method: int, shard: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 9, (300, 300)).astype(np.uint16)
    write_store(tmp_path / "a.zarr", pixels, shard=shard)
    path = zipped(tmp_path / "a.zarr", tmp_path / "a.zip", prefix, compression=method)
    source = open_source([path])
    assert source.description.files == (path,)
    assert source.description.axes.scale["x"] == 0.5
    regions = list(Region.whole((1, 1, 300, 300)).divide((1, 1, 70, 90)))
    with ThreadPoolExecutor(4) as pool:
        for region, block in zip(regions, pool.map(source.read, regions), strict=True):
            assert np.array_equal(block[0, 0, 0], pixels[region.slices[2:]])


def test_archives_that_hold_no_store_or_bombs_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "text.zip", "w") as file:
        file.writestr("readme.txt", "no store")
    with pytest.raises(NotAnImage, match="without an OME-Zarr image"):
        open_source([tmp_path / "text.zip"])
    write_store(tmp_path / "a.zarr", np.zeros((9, 9), np.uint8))
    bomb = zipped(tmp_path / "a.zarr", tmp_path / "bomb.zip", compression=zipfile.ZIP_DEFLATED)
    with (
        zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as file,
        file.open("0/c/9/9", "w") as member,
    ):
        for _ in range(257):
            member.write(bytes(2**20))
    with pytest.raises(NotAnImage, match="compressed file of 257 MiB"):
        open_source([bomb])


def test_a_bare_array_and_a_version_to_come_are_named(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", np.zeros((9, 9), np.uint8))
    with pytest.raises(NotAnImage, match="Zarr array without OME-Zarr metadata"):
        open_source([tmp_path / "a.zarr" / "0"])
    described = tmp_path / "a.zarr" / "zarr.json"
    described.write_text(described.read_text().replace('"0.5"', '"0.6"'))
    with pytest.raises(NotAnImage, match=r"is OME-Zarr 0\.6: versions up to 0\.5 are read"):
        open_source([tmp_path / "a.zarr"])


def test_a_store_that_lost_its_chunks_is_mentioned(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", np.ones((9, 9), np.uint8))
    shutil.rmtree(tmp_path / "a.zarr" / "0" / "c")
    with pytest.warns(SourceWarning, match="stores no chunk"):
        open_source([tmp_path / "a.zarr"])
