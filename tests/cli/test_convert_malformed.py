"""Malformed files: one line, exit code 1 or 2, and nothing under the output's name."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as untyped_nibabel
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from PIL import Image as Picture
from stable_tiles_cli.main import main

from tests.image.stores import write_store

nibabel: Any = untyped_nibabel
PIXELS = np.random.default_rng(0).integers(0, 255, (96, 80, 3)).astype(np.uint8)
GREY = np.ascontiguousarray(PIXELS[..., 0])
LONGEST_S = 20


def tiff(path: Path, pixels: Any = PIXELS, **how: Any) -> None:
    photometric: Any = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(path, pixels, photometric=photometric, **how)


def nifti(path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.asfortranarray(GREY[..., None]), np.eye(4)), path)


def archive(path: Path) -> None:
    store = path.with_suffix(".zarr")
    write_store(store, GREY, chunk=32, shard=64)
    with zipfile.ZipFile(path, "w") as file:
        for member in sorted(store.rglob("*")):
            if member.is_file():
                file.write(member, member.relative_to(store))
    shutil.rmtree(store)


FILES: dict[str, Callable[[Path], None]] = {
    "deflate.tif": lambda p: tiff(p, tile=(32, 32), compression="adobe_deflate"),
    "lzw.tif": lambda p: tiff(p, rowsperstrip=8, compression="lzw"),
    "zstd.tif": lambda p: tiff(p, tile=(32, 32), compression="zstd"),
    "jpeg.tif": lambda p: tiff(p, tile=(32, 32), compression="jpeg"),
    "plain.tif": lambda p: tiff(p, GREY),
    "big.tif": lambda p: tiff(p, GREY, bigtiff=True, tile=(32, 32), compression="lzw"),
    "image.ome.tif": lambda p: tiff(p, GREY, metadata={"axes": "YX", "PhysicalSizeX": 0.5}),
    "a.png": lambda p: Picture.fromarray(PIXELS).save(p),
    "a.jpg": lambda p: Picture.fromarray(PIXELS).save(p),
    "a.nii": nifti,
    "a.nii.gz": nifti,
    "a.zip": archive,
}


def run(source: Path, target: Path) -> Result:
    return CliRunner().invoke(main, ["convert", str(source), str(target), "--quiet"])


def check(source: Path, codes: set[int]) -> None:
    target = source.parent / "out.zarr"
    started = time.monotonic()
    result = run(source, target)
    assert time.monotonic() - started < LONGEST_S
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code in codes, (result.exit_code, result.output)
    if result.exit_code == 0:
        return
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("Error: ")
    assert not target.exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", [0.03, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, part: float) -> None:
    FILES[name](tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * part)])
    check(tmp_path / name, {1, 2})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes_are_read_or_refused_in_one_line(tmp_path: Path, name: str) -> None:
    FILES[name](tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(len(name))
    for _ in range(12):
        damaged = bytearray(whole)
        # Headers stand at the beginning, or for TIFF and ZIP at the end.
        start = 0 if rng.random() < 0.6 else max(0, len(whole) - 400)
        for at in rng.integers(start, min(start + 400, len(whole)), 4):
            damaged[at] ^= 1 << rng.integers(0, 8)
        (tmp_path / name).write_bytes(damaged)
        shutil.rmtree(tmp_path / "out.zarr", ignore_errors=True)
        shutil.rmtree(tmp_path / "out.zarr.partial", ignore_errors=True)
        check(tmp_path / name, {0, 1, 2})


def overwrite_tags(path: Path, **tags: int) -> None:
    with tifffile.TiffFile(path, mode="r+") as file:
        for name, value in tags.items():
            file.pages.first.tags[name].overwrite(value, dtype="I")


def lying_tiff(**tags: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "a.tif"
        tiff(path, tile=(32, 32), compression="adobe_deflate")
        overwrite_tags(path, **tags)
        return path

    return make


def lying_strips(**tags: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "a.tif"
        tiff(path, GREY, rowsperstrip=96, compression="lzw")
        overwrite_tags(path, **tags)
        return path

    return make


def lying_png(width: int, height: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "a.png"
        Picture.fromarray(PIXELS).save(path)
        data = bytearray(path.read_bytes())
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        path.write_bytes(data)
        return path

    return make


def lying_jpeg(folder: Path) -> Path:
    path = folder / "a.jpg"
    Picture.fromarray(PIXELS).save(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    return path


def lying_nifti(name: str, **fields: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        nifti(path)
        opener: Any = gzip.open if name.endswith(".gz") else open
        with opener(path, "rb") as file:
            data = file.read()
        header = nibabel.Nifti1Header(data[:348], check=False)
        for field, value in fields.items():
            header[field] = value
        with opener(path, "wb") as file:
            file.write(bytes(header.binaryblock) + data[348:])
        return path

    return make


def gzip_bomb(folder: Path) -> Path:
    """Two mebibytes that claim, and are, far more than the disk; deflated a thousand times."""
    path = folder / "a.nii.gz"
    header = nibabel.Nifti1Header()
    header.set_data_dtype("float64")
    header.set_data_shape((32767, 32767, 32767))
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    with gzip.open(path, "wb") as file:
        file.write(bytes(header.binaryblock) + bytes(2**26))
    return path


def changed_store(change: Callable[[dict[str, Any]], None], member: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "a.zarr"
        write_store(path, GREY, chunk=32, shard=64)
        described = path / member
        tree = json.loads(described.read_text())
        change(tree)
        described.write_text(json.dumps(tree))
        return path

    return make


def set_shape(tree: dict[str, Any]) -> None:
    tree["shape"] = [10**9, 10**9]


def set_chunks(tree: dict[str, Any]) -> None:
    tree["chunk_grid"]["configuration"]["chunk_shape"] = [2**20, 2**20]
    tree["codecs"][0]["configuration"]["chunk_shape"] = [2**20, 2**20]


def set_dtype(tree: dict[str, Any]) -> None:
    tree["data_type"] = "complex128"


def set_codec(tree: dict[str, Any]) -> None:
    tree["codecs"] = [{"name": "pickle", "configuration": {}}]


def drop_scales(tree: dict[str, Any]) -> None:
    for dataset in tree["attributes"]["ome"]["multiscales"][0]["datasets"]:
        dataset["coordinateTransformations"] = [{"type": "scale", "scale": ["a", None]}]


def rename_axis(tree: dict[str, Any]) -> None:
    tree["attributes"]["ome"]["multiscales"][0]["axes"][0]["name"] = "velocity"


def lose_level(tree: dict[str, Any]) -> None:
    tree["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = "../../etc"


def half_a_document(folder: Path) -> Path:
    write_store(folder / "a.zarr", GREY, chunk=32, shard=64)
    described = folder / "a.zarr" / "zarr.json"
    described.write_text(described.read_text()[:200])
    return folder / "a.zarr"


def broken_shard(folder: Path) -> Path:
    write_store(folder / "a.zarr", GREY, chunk=32, shard=64)
    shard = folder / "a.zarr" / "0" / "c" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:100])
    return folder / "a.zarr"


def renamed(content: bytes, name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


LIES: dict[str, Callable[[Path], Path]] = {
    "tiff of 9e12 pixels": lying_tiff(ImageWidth=3_000_000, ImageLength=3_000_000),
    "tiff of 2^62 pixels": lying_tiff(ImageWidth=2**31 - 1, ImageLength=2**31 - 1),
    "tiff without width": lying_tiff(ImageWidth=0),
    "tiff of an unknown codec": lying_tiff(Compression=4711),
    "tiff of another codec": lying_tiff(Compression=7),
    "tiff of 77 bits": lying_tiff(BitsPerSample=77),
    "tiff with tiles of 2^40": lying_tiff(TileWidth=2**20, TileLength=2**20),
    "tiff with tiles of 17": lying_tiff(TileWidth=17, TileLength=0),
    "strip of 2^62": lying_strips(ImageWidth=2**31 - 1, RowsPerStrip=2**31, ImageLength=2**31 - 1),
    "strip of 2 GiB": lying_strips(ImageWidth=2**16, RowsPerStrip=2**15, ImageLength=2**15),
    "tiff with 60000 samples": lying_strips(SamplesPerPixel=60000),
    "png of 2^62 pixels": lying_png(2**31 - 1, 2**31 - 1),
    "png of 3 GiB": lying_png(40_000, 30_000),
    "png without width": lying_png(0, 50),
    "jpeg of 65535 x 65535": lying_jpeg,
    "nifti of 32767^3": lying_nifti("a.nii", dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]),
    "nifti without x": lying_nifti("a.nii", dim=[3, 0, 96, 1, 1, 1, 1, 1]),
    "nifti of negative size": lying_nifti("a.nii", dim=[3, -5, 96, 1, 1, 1, 1, 1]),
    "nifti of 9 dimensions": lying_nifti("a.nii", dim=[9, 80, 96, 1, 1, 1, 1, 1]),
    "nifti of an unknown dtype": lying_nifti("a.nii", datatype=999),
    "nifti of colours": lying_nifti("a.nii", datatype=128),
    "nifti of complex numbers": lying_nifti("a.nii", datatype=32),
    "nifti beyond its end": lying_nifti("a.nii", vox_offset=1e9),
    "nifti inside its header": lying_nifti("a.nii", vox_offset=8),
    "gzipped nifti of 32767^3": lying_nifti("a.nii.gz", dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]),
    "gzipped nifti that ends early": lying_nifti("a.nii.gz", dim=[3, 96, 80, 9, 1, 1, 1, 1]),
    "gzip bomb": gzip_bomb,
    "store of 10^18 pixels": changed_store(set_shape, "0/zarr.json"),
    "store with chunks of 2^40": changed_store(set_chunks, "0/zarr.json"),
    "store of complex numbers": changed_store(set_dtype, "0/zarr.json"),
    "store of an unknown codec": changed_store(set_codec, "0/zarr.json"),
    "store without scales": changed_store(drop_scales, "zarr.json"),
    "store with an axis of its own": changed_store(rename_axis, "zarr.json"),
    "store with a level elsewhere": changed_store(lose_level, "zarr.json"),
    "store with half its metadata": half_a_document,
    "store with a torn shard": broken_shard,
    "text called tiff": renamed(b"once upon a time" * 99, "a.tif"),
    "zeros called nifti": renamed(bytes(4000), "a.nii"),
    "nothing": renamed(b"", "a.svs"),
    "zip without a store": renamed(b"PK\x05\x06" + bytes(18), "a.zip"),
    "dicom without a slide": renamed(bytes(128) + b"DICM" + bytes(500), "a.dcm"),
    "gzip of gzip": renamed(gzip.compress(gzip.compress(bytes(9999))), "a.nii.gz"),
    "czi": renamed(b"ZISRAWFILE" + bytes(600), "a.czi"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LIES)
def test_a_file_that_lies_is_refused(tmp_path: Path, name: str) -> None:
    check(LIES[name](tmp_path), {1, 2})


def test_there_are_enough_of_them() -> None:
    assert 4 * len(FILES) + len(LIES) >= 60
