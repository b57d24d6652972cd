from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from stable_tiles.errors import NotAnImage, WorkFailed
from stable_tiles.image.sources import SourceWarning, segments
from stable_tiles.image.sources.segments import Segments

PIXELS = (np.arange(256 * 320, dtype=np.int64).reshape(256, 320) % 65521).astype(np.uint16)


def write(path: Path, **arguments: Any) -> Segments:
    tifffile.imwrite(path, PIXELS, photometric="minisblack", **arguments)
    return opened(path)


def opened(path: Path) -> Segments:
    with tifffile.TiffFile(path) as tiff:
        return Segments(tiff.series[0], path.name)


def test_only_the_tiles_of_the_box_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "a.tif", tile=(64, 64), compression="zlib")
    reads: list[int] = []
    plain = os.pread

    def counted(file: int, count: int, offset: int) -> bytes:
        reads.append(offset)
        return plain(file, count, offset)

    monkeypatch.setattr(os, "pread", counted)
    box = source.box(0, slice(10, 70), slice(130, 190))
    assert np.array_equal(box[..., 0], PIXELS[10:70, 130:190])
    assert len(reads) == 2
    source.close()


def test_strips_are_decoded_once_for_neighbouring_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "a.tif", rowsperstrip=32, compression="zlib")
    reads: list[int] = []
    plain = os.pread

    def counted(file: int, count: int, offset: int) -> bytes:
        reads.append(offset)
        return plain(file, count, offset)

    monkeypatch.setattr(os, "pread", counted)
    for left in (0, 100, 200):
        box = source.box(0, slice(0, 64), slice(left, left + 100))
        assert np.array_equal(box[..., 0], PIXELS[:64, left : left + 100])
    assert len(reads) == 2
    source.close()


def test_threads_share_one_object(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", tile=(16, 16), compression="lzw")

    def same(index: int) -> bool:
        y, x = index % 16 * 16, index // 16 * 16
        box = source.box(0, slice(y, y + 16), slice(x, x + 16))
        return np.array_equal(box[..., 0], PIXELS[y : y + 16, x : x + 16])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(same, range(320)))
    source.close()


def test_missing_tiles_are_mentioned_and_read_as_zero(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    whole = [PIXELS[:64, :64], None, PIXELS[64:128, :64], None]
    tifffile.imwrite(
        path,
        iter(whole),
        shape=(128, 128),
        dtype="uint16",
        tile=(64, 64),
        compression="zlib",
        photometric="minisblack",
    )
    with tifffile.TiffFile(path) as tiff:
        empty = [i for i, n in enumerate(tiff.pages.first.databytecounts) if n == 0]
    assert empty == [1, 3]
    with pytest.warns(SourceWarning, match="2 of 4 tiles are missing"):
        source = opened(path)
    box = source.box(0, slice(0, 128), slice(0, 128))[..., 0]
    assert np.array_equal(box[:, :64], PIXELS[:128, :64])
    assert not box[:, 64:].any()
    source.close()


def test_a_damaged_tile_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write(path, tile=(64, 64), compression="zlib").close()
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages.first.dataoffsets[7]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 64)
    source = opened(path)
    assert source.box(0, slice(0, 64), slice(0, 64)).any()
    with pytest.raises(WorkFailed, match=r"a\.tif: tile 7 of page 0 cannot be decoded"):
        source.box(0, slice(0, 256), slice(0, 320))
    source.close()


@pytest.mark.parametrize("missing", [1, 5000])
def test_a_file_that_ends_before_its_last_tile_is_refused(tmp_path: Path, missing: int) -> None:
    path = tmp_path / "a.tif"
    write(path, tile=(64, 64), compression="zlib").close()
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(NotAnImage, match=r"a\.tif is truncated"):
        opened(path)


def test_pieces_that_do_not_fit_into_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "MAX_SEGMENT_BYTES", 1000)
    with pytest.raises(NotAnImage, match="save it again with tiles"):
        write(tmp_path / "a.tif", tile=(64, 64), compression="zlib")
