"""Every real image converts to what another program decodes, or is refused for a known reason."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as untyped_nibabel
import numpy as np
import numpy.typing as npt
import openslide
import pytest
import tifffile
import zarr
from PIL import Image as Picture

from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.errors import InputError
from stable_tiles.image.codec import Codec
from stable_tiles.image.store import open_image
from stable_tiles.region import Region

nibabel: Any = untyped_nibabel
PLAIN = ConvertOptions(workers=1, levels=1, codec=Codec("none", 0))
FOLDERS = ("1_wsi", "2_fluo_he", "3_label_free", "4_mri", "5_calcium", "6_snr", "7_models")
FORMATS = ("nifti", "tiff", "zarr")
NO_IMAGES = frozenset({".md", ".json", ".onnx", ".npy", ".txt", ""})

REFUSED = {
    "analyze.hdr": "of no format that is read here",
    "nifti1.hdr": r"its \.img file is missing",
    "scaled+tlrc.BRIK": "of no format that is read here",
    "scaled+tlrc.HEAD": "of no format that is read here",
    "test.mgz": "of no format that is read here",
    "logluv-3c-16b.tiff": "SGILOG",
    "minisblack-1c-8b.pgm": "of no format that is read here",
    "miniswhite-1c-1b.pbm": "of no format that is read here",
    "random-fp16.pgm": "of no format that is read here",
    "rgb-3c-8b.ppm": "of no format that is read here",
    "large_image_float32.zarr.zip": "axis 's' is not one of",
    "mni152_axial.ome.zarr": "do not follow the order",
    "manifest.ocdbt": "of no format that is read here",
    "simple_0.5.ocdbt": "without an OME-Zarr image",
}
"""What cannot be read, and why, by name."""


def images(folder: Path) -> Iterator[Path]:
    """Files and stores below a folder; nothing inside a store."""
    for path in sorted(folder.iterdir()):
        store = any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zattrs"))
        if path.is_dir() and not store and path.suffix not in {".zarr", ".ocdbt"}:
            yield from images(path)
        elif path.is_dir() or path.suffix.lower() not in NO_IMAGES:
            yield path


def decoded(path: Path) -> npt.NDArray[Any]:
    """The pixels as another program finds them, in an order of axes of its own."""
    head = path.read_bytes()[:352] if path.is_file() else b""
    if path.suffix == ".dcm":
        with openslide.OpenSlide(str(path)) as slide:
            return np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
    if head[:2] in (b"II", b"MM"):
        with tifffile.TiffFile(path) as tiff:
            sizes = [s.keyframe.imagelength * s.keyframe.imagewidth for s in tiff.series]
            first = tiff.series[0].kind == "ome"
            return np.asarray(tiff.series[0 if first else sizes.index(max(sizes))].asarray())
    if head.startswith((b"\x89PNG", b"\xff\xd8")):
        with Picture.open(path) as picture:
            return np.asarray(picture)
    if path.name.endswith((".nii", ".nii.gz")):
        return np.asarray(nibabel.load(path).dataobj.get_unscaled()).T
    group = zarr.open_group(
        zarr.storage.ZipStore(path, mode="r") if path.is_file() else str(path), mode="r"
    )
    attributes: Any = group.attrs.asdict()
    name = attributes.get("ome", attributes)["multiscales"][0]["datasets"][0]["path"]
    return np.asarray(group[name])


def agrees(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> bool:
    """Whether (t, c, z, y, x) holds the pixels of an array with samples last or planes first."""
    floats = found.dtype.kind == "f"
    ours = found.reshape([n for n in found.shape if n > 1])
    plain = np.asarray(expected, found.dtype).reshape([n for n in expected.shape if n > 1])
    candidates = [plain, np.moveaxis(plain, -1, 0)]
    # An alpha channel, the last sample, is not kept.
    candidates += [c[:-1] for c in candidates if len(c) == found.shape[1] + 1]
    return any(
        np.array_equal(ours, c.reshape(ours.shape), equal_nan=floats)
        for c in candidates
        if c.size == ours.size and [n for n in c.shape if n > 1] == list(ours.shape)
    )


def outcome(path: Path, folder: Path) -> str | None:
    """What is wrong with how a file converts, or None."""
    target = folder / "a.zarr"
    shutil.rmtree(target, ignore_errors=True)
    try:
        convert(path, target, PLAIN)
    except InputError as error:
        return _refusal(path, str(error), list(folder.iterdir()))
    if path.name in REFUSED:
        return f"{path.name} is listed as refused and converts"
    image = open_image(target)
    t, _, z, y, x = image.shape
    found = image.read(Region.whole((t, z, y, x)))
    return None if agrees(found, decoded(path)) else f"{path.name}: pixels differ"


def _refusal(path: Path, line: str, left: list[Path]) -> str | None:
    if "\n" in line or left:
        return f"{path.name}: more than a line, or something was left: {line}"
    if path.is_dir() and re.search(
        "lacks its level|no OME-Zarr multi|not an OME-Zarr|up to 0.5|with", line
    ):
        return None  # metadata without pixels, plates, versions to come
    known = REFUSED.get(path.name)
    return None if known and re.search(known, line) else f"{path.name} is refused: {line}"


@pytest.mark.parametrize("folder", [*FOLDERS, *(f"8_formats/{name}" for name in FORMATS)])
def test_every_real_image_converts_to_its_pixels_or_is_refused_for_a_known_reason(
    tmp_path: Path, shared_data: Path, folder: str
) -> None:
    paths = list(images(shared_data / folder))
    assert len(paths) >= 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problems = [problem for path in paths if (problem := outcome(path, tmp_path))]
    assert problems == []
