"""Write NIfTI: the header that the image came with, then its voxels, slab by slab."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np

from stable_tiles.axes import Axes
from stable_tiles.export.plan import ExportPlan
from stable_tiles.export.slabs import slabs
from stable_tiles.image.sources.nifti_header import VERSIONS, parse_header
from stable_tiles.image.sources.omezarr import nifti_of
from stable_tiles.image.sources.source import NiftiHeader
from stable_tiles.image.sources.units import METERS, SECONDS
from stable_tiles.image.store import Image
from stable_tiles.progress import Progress

_MAX_OFFSET = 2**20
_MAX_NIFTI1 = 32767
_GZIP_LEVEL = 1
_ALIGNED = 2

_UNITS = (("mm", "millimeter"), ("micron", "micrometer"), ("meter", "meter"))


def write_nifti(plan: ExportPlan, path: Path, progress: Progress) -> None:
    """Write the plan's level 0 to a file; gzipped where the target's name says so."""
    image = plan.image
    header = header_for(image, plan.dtype)
    dtype = header.get_data_dtype()
    t, c, z, y, x = image.shape
    regions = slabs((t, z, y, x), dtype.itemsize, (1, x))
    total = c * len(regions)
    progress("slabs", 0, total)
    with _opened(path, plan.target.name.lower().endswith(".gz")) as file:
        raw = bytes(header.binaryblock)
        file.write(raw + bytes(int(header["vox_offset"]) - len(raw)))
        for channel in range(c):
            for done, region in enumerate(regions, 1 + channel * len(regions)):
                block = image.read(region, 0, [channel])
                file.write(np.ascontiguousarray(block, dtype).data)
                progress("slabs", done, total)


def header_for(image: Image, dtype: np.dtype[Any]) -> Any:
    """The header of an image's NIfTI file.

    The one that was kept when the image was converted, field by field, but for
    what the pixels contradict (size, dtype, scaling of a translation); or a
    new one from the scale, whose axes are the image's.

    Parameters
    ----------
    image : Image
        The store.
    dtype : numpy dtype
        Dtype of the voxels.

    Returns
    -------
    nibabel header
        In the byte order of the header that was kept.
    """
    kept = nifti_of(image)
    t, _, z, y, x = image.shape
    if kept is not None and len(kept.raw) in VERSIONS:
        header = parse_header(kept.raw)
        sizes = [*header.get_data_shape(), 1, 1, 1, 1][:5]
        if sizes[:4] == [x, y, z, t]:
            return _adapted(header, kept, image, dtype)
        warnings.warn(
            f"{image.name} is not as large as its NIfTI header says: exported without its affine",
            UserWarning,
            stacklevel=2,
        )
    return _new_header(image, dtype)


def _adapted(header: Any, kept: NiftiHeader, image: Image, dtype: np.dtype[Any]) -> Any:
    t, c, z, y, x = image.shape
    if [*header.get_data_shape(), 1, 1, 1, 1][4] != c:
        header.set_data_shape((x, y, z, t, c))
    if header.get_data_dtype().newbyteorder("=") != dtype:
        header.set_data_dtype(dtype)
        header["cal_min"], header["cal_max"] = 0, 0
    slope, inter = header.get_slope_inter()
    if (kept.slope, kept.inter) != (slope or 1.0, inter or 0.0):
        header.set_slope_inter(kept.slope, kept.inter)
        header["cal_min"], header["cal_max"] = 0, 0
    _make_single(header)
    return header


def _make_single(header: Any) -> None:
    """Header and voxels in one file, with no extensions between."""
    version = VERSIONS[len(header.binaryblock)][0]
    start = len(header.binaryblock) + 4
    header["magic"] = nibabel.Nifti2Header.single_magic if version == 2 else b"n+1"
    if not start <= int(header["vox_offset"]) <= _MAX_OFFSET:
        header["vox_offset"] = start


def _new_header(image: Image, dtype: np.dtype[Any]) -> Any:
    t, c, z, y, x = image.shape
    large = max(image.shape) > _MAX_NIFTI1
    header: Any = nibabel.Nifti2Header() if large else nibabel.Nifti1Header()  # type: ignore[no-untyped-call]  # nibabel is untyped
    header.set_data_dtype(dtype)
    sizes = (x, y, z, t, c)
    header.set_data_shape(sizes[: 5 if c > 1 else 4 if t > 1 else 3])
    zooms, unit = _space(image.axes)
    step, time = _time(image.axes)
    header.set_zooms((*zooms, step, 1.0)[: len(header.get_data_shape())])
    header.set_xyzt_units(unit, time)
    header.set_sform(np.diag([*zooms, 1.0]), _ALIGNED)
    header.set_slope_inter(1.0, 0.0)
    _make_single(header)
    return header


def _space(axes: Axes) -> tuple[tuple[float, float, float], str]:
    """Distances of voxels along x, y, z and their unit, one of those that NIfTI has."""
    scale, units = axes.scale, axes.units
    if not all(units.get(name) in METERS for name in "xy"):
        return (scale["x"], scale["y"], scale.get("z", 1.0)), "unknown"
    name, ours = next((pair for pair in _UNITS if pair[1] == units["x"]), _UNITS[1])
    sizes = [
        scale[axis] * METERS[units[axis] or ""] / METERS[ours] if units.get(axis) in METERS else 1.0
        for axis in "xyz"
    ]
    return (sizes[0], sizes[1], sizes[2]), name


def _time(axes: Axes) -> tuple[float, str]:
    """Seconds between frames."""
    unit = axes.units.get("t")
    if unit not in SECONDS:
        return axes.scale.get("t", 1.0), "unknown"
    return axes.scale["t"] * SECONDS[unit], "sec"


@contextmanager
def _opened(path: Path, packed: bool) -> Iterator[IO[bytes]]:
    """The file to be written; gzip without name and time, so equal images give equal files."""
    with path.open("wb") as file:
        if not packed:
            yield file
            return
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as stream:
            yield stream  # type: ignore[misc]  # GzipFile writes as a file does
