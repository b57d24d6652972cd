from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import stable_tiles
from stable_tiles.errors import InputError, Interrupted, OutputExists, StoreNotFound, WorkFailed
from stable_tiles.export import ExportOptions, ExportReport, export
from tests.image.stores import write_store

PIXELS = np.random.default_rng(0).integers(0, 90, (300, 200)).astype(np.uint16)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["a.ome.tif", "a.ome.tiff", "a.tif", "a.TIF", "a.nii", "a.nii.gz"])
def test_the_report_says_what_was_written(tmp_path: Path, name: str) -> None:
    image = write_store(tmp_path / "a.zarr", PIXELS)
    calls: list[tuple[str, int, int]] = []
    package: Any = stable_tiles
    report = package.export(
        tmp_path / "a.zarr", tmp_path / name, progress=lambda *call: calls.append(call)
    )
    assert isinstance(report, ExportReport)
    assert report.bytes_out == (tmp_path / name).stat().st_size > 0
    assert (report.shape, report.axes, report.dtype) == ((300, 200), "yx", "uint16")
    assert report.levels == (len(image.levels) if "tif" in name.lower() else 1)
    assert report.scale == {"y": 0.5, "x": 0.5}
    assert calls[0][1] == 0
    assert calls[-1][1] == calls[-1][2] == len(calls) - 1
    assert listing(tmp_path) == sorted(["a.zarr", name])


@pytest.mark.parametrize("name", ["a.png", "a", "a.zarr/b.tif", "s3://bucket/a.tif"])
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    target = name if "://" in name else tmp_path / name
    with pytest.raises(InputError):
        export(tmp_path / "a.zarr", target)
    assert listing(tmp_path) == ["a.zarr"]


@pytest.mark.parametrize(("name", "dtype"), [("a.ome.tif", "int64"), ("a.nii", "float16")])
def test_a_dtype_that_the_format_lacks_is_refused(tmp_path: Path, name: str, dtype: str) -> None:
    write_store(tmp_path / "a.zarr", PIXELS.astype(dtype))
    with pytest.raises(InputError, match=f"cannot hold {dtype}"):
        export(tmp_path / "a.zarr", tmp_path / name)


def test_a_plain_tiff_holds_every_dtype(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", PIXELS.astype("int64"))
    export(tmp_path / "a.zarr", tmp_path / "a.tif")
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), PIXELS.astype("int64"))


def test_a_file_that_exists_is_kept_unless_told(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    (tmp_path / "a.tif").write_text("thesis")
    with pytest.raises(OutputExists, match="--overwrite"):
        export(tmp_path / "a.zarr", tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_text() == "thesis"
    export(tmp_path / "a.zarr", tmp_path / "a.tif", ExportOptions(overwrite=True))
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), PIXELS)
    (tmp_path / "b.tif").mkdir()
    with pytest.raises(OutputExists, match="folder"):
        export(tmp_path / "a.zarr", tmp_path / "b.tif", ExportOptions(overwrite=True))


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    report = export(tmp_path / "a.zarr", tmp_path / "a.tif", ExportOptions(dry_run=True))
    assert report.dry_run
    assert report.bytes_raw >= PIXELS.nbytes
    assert listing(tmp_path) == ["a.zarr"]


def test_no_store_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound):
        export(tmp_path / "a.zarr", tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.tif", "a.nii.gz"])
def test_a_broken_chunk_leaves_nothing_under_the_name(tmp_path: Path, name: str) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    shard = next(path for path in (tmp_path / "a.zarr" / "0").rglob("*") if path.name == "1")
    path = shard if shard.is_file() else next(p for p in shard.rglob("*") if p.is_file())
    content = bytearray(path.read_bytes())
    content[50] ^= 8
    path.write_bytes(content)
    with pytest.raises(WorkFailed, match="cannot read"):
        export(tmp_path / "a.zarr", tmp_path / name)
    assert listing(tmp_path) == ["a.zarr"]


@pytest.mark.parametrize("name", ["a.ome.tif", "a.nii.gz"])
def test_an_interruption_leaves_the_old_file_as_it_was(tmp_path: Path, name: str) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    (tmp_path / name).write_text("old")

    def stop(what: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="was not written"):
        export(tmp_path / "a.zarr", tmp_path / name, ExportOptions(overwrite=True), stop)
    assert (tmp_path / name).read_text() == "old"
    assert listing(tmp_path) == sorted(["a.zarr", name])
