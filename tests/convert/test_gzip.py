from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as untyped_nibabel
import numpy as np
import pytest

from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.convert.options import Said
from stable_tiles.errors import NotAnImage, WorkFailed
from stable_tiles.image.store import open_image
from stable_tiles.region import Region
from tests.convert.test_verb import measured

nibabel: Any = untyped_nibabel
OPTIONS = ConvertOptions(Said(unit="mm"), chunk=32, shard=64, workers=3)


def volume(path: Path, shape: tuple[int, ...] = (150, 130, 9)) -> Any:
    voxels = np.random.default_rng(0).integers(0, 99, shape).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)
    return voxels


class Counting:
    """Inflates as zlib does, and counts what came out."""

    inflated = 0

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def decompress(self, data: bytes, most: int) -> bytes:
        piece: bytes = self._inner.decompress(data, most)
        Counting.inflated += len(piece)
        return piece


def test_a_gzipped_volume_is_inflated_once_whatever_its_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voxels = volume(tmp_path / "a.nii.gz", (300, 260, 40))
    plain = zlib.decompressobj
    Counting.inflated = 0
    with monkeypatch.context() as patch:
        patch.setattr(zlib, "decompressobj", lambda *a, **k: Counting(plain(*a, **k)))
        report = convert(tmp_path / "a.nii.gz", tmp_path / "a.zarr", OPTIONS)
    assert report.regions == 25
    # The header is looked at before: some kilobytes each time.
    assert voxels.nbytes + 352 <= Counting.inflated < 1.05 * voxels.nbytes
    found = open_image(tmp_path / "a.zarr").read(Region((0, 0, 0, 0), (1, 40, 260, 300)))
    assert np.array_equal(found[0, 0].T, voxels)


def test_a_gzipped_volume_larger_than_the_memory_that_is_taken_converts(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((512, 512, 640))
    header.set_data_dtype(np.int16)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    plane = np.arange(512 * 512, dtype=np.int16).tobytes()
    with gzip.open(tmp_path / "a.nii.gz", "wb", compresslevel=1) as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(640):
            file.write(plane)
    peak, _ = measured(tmp_path / "a.nii.gz", tmp_path / "a.zarr")
    assert peak < 0.75 * 640 * len(plane)


def test_a_truncated_stream_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    volume(tmp_path / "a.nii.gz")
    stored = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(stored[: len(stored) // 2])
    with pytest.raises(NotAnImage, match="truncated"):
        convert(tmp_path / "a.nii.gz", tmp_path / "a.zarr", OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


def test_a_stream_that_is_damaged_within_gives_no_store(tmp_path: Path) -> None:
    volume(tmp_path / "a.nii.gz", (300, 260, 40))
    stored = bytearray((tmp_path / "a.nii.gz").read_bytes())
    stored[len(stored) // 2] ^= 255
    (tmp_path / "a.nii.gz").write_bytes(stored)
    with pytest.raises(WorkFailed, match=r"a\.nii\.gz is damaged"):
        convert(tmp_path / "a.nii.gz", tmp_path / "a.zarr", OPTIONS)
    assert not (tmp_path / "a.zarr").exists()
