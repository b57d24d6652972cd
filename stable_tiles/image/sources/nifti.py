"""NiftiSource: NIfTI-1 and -2, plain or gzipped, voxels as they are stored.

Dimensions (x, y, z, t, v) of the file become (t, c=v, z, y, x) without a
transposition: NIfTI stores x fastest.  Scaled integers stay integers; slope,
intercept, affine and the whole header travel beside them.
"""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from nibabel.spatialimages import HeaderDataError

from stable_tiles.errors import NotAnImage, first_line
from stable_tiles.image.sources.inflate import Inflated, is_gzip, stated_size
from stable_tiles.image.sources.nifti_header import VERSIONS, kept_header, parse_header
from stable_tiles.image.sources.raw import RawPlanes
from stable_tiles.image.sources.source import (
    Calibration,
    Description,
    Pixels,
    Shape5,
    SourceOptions,
    SourceWarning,
    axes_of,
    channels_of,
)
from stable_tiles.image.sources.units import space_unit, time_unit
from stable_tiles.region import Region

_MAGIC_AT = {1: 344, 2: 4}
_MAX_RATIO = 1100
"""Deflate cannot shrink more than 1032 times: a header that claims more is false."""


class NiftiSource:
    """One NIfTI file (``.nii``, ``.nii.gz``) or pair (``.hdr`` and ``.img``).

    A gzip stream is inflated once, as far as pixels are asked for, into an
    unnamed temporary file that vanishes with the process.

    Raises
    ------
    NotAnImage
        If it is no NIfTI, is truncated, or holds voxels that are not real numbers.
    """

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self._scratch = options.scratch
        self._lock = Lock()
        self._file: int | None = None
        self._stream: Inflated | None = None
        raw, version = _raw_header(path)
        header: Any = parse_header(raw)
        self._data = _data_path(path, raw[_MAGIC_AT[version] :])
        try:
            self._dtype = np.dtype(header.get_data_dtype())
            self._offset = int(header.get_data_offset())
            sizes = [int(n) for n in header.get_data_shape()]
            calibration = _calibration(header)
            nifti = kept_header(header)
        except (HeaderDataError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise NotAnImage(f"{path.name} has a damaged header: {first_line(error)}") from error
        shape = _canonical(sizes, path.name)
        self._refuse(path, shape, len(raw) if self._data == path else 0)
        files = tuple(dict.fromkeys((path, self._data)))
        self._gzipped = is_gzip(self._data)
        whole = self._offset + prod(shape) * int(self._dtype.itemsize)
        self._description = Description(
            axes=axes_of(shape, calibration),
            shape=shape,
            dtype=self._dtype.newbyteorder("="),
            channels=channels_of(shape[1], False),
            metadata={"format": f"nifti-{version}"},
            nifti=nifti,
            streamed=self._gzipped and stated_size(self._data) == whole % 2**32,
            files=files,
            bytes_in=sum(file.stat().st_size for file in files),
        )

    @property
    def description(self) -> Description:
        """What the file holds."""
        return self._description

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x)."""
        times, vectors, depth, _, _ = self._description.shape
        ts, zs, rows, columns = region.slices
        planes = self._planes(((vectors - 1) * times + ts.stop - 1) * depth + zs.stop)
        shape = (region.shape[0], vectors, *region.shape[1:])
        block = np.empty(shape, self._description.dtype)
        for t, c, z in np.ndindex(shape[:3]):
            plane = (c * times + ts.start + t) * depth + zs.start + z
            planes.box(plane, rows, columns, block[t, c, z, :, :, None])
        return block

    def associated(self) -> dict[str, Pixels]:
        """None: a NIfTI file holds one image."""
        return {}

    def close(self) -> None:
        """Close the file; the temporary one vanishes."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _planes(self, count: int) -> RawPlanes:
        """The planes, of which the first so many can be read."""
        _, _, _, y, x = self._description.shape
        shape, name = (y, x, 1), self._data.name
        with self._lock:
            if self._gzipped:
                size = prod(self._description.shape) * int(self._dtype.itemsize)
                self._stream = self._stream or Inflated(
                    self._data, self._offset, size, self._scratch
                )
            elif self._file is None:
                self._file = os.open(self._data, os.O_RDONLY)
        if self._stream is None:
            assert self._file is not None  # opened above
            return RawPlanes(name, self._file, self._offset, shape, self._dtype)
        plane = y * x * int(self._dtype.itemsize)
        return RawPlanes(name, self._stream.upto(count * plane), 0, shape, self._dtype)

    def _refuse(self, path: Path, shape: Shape5, lowest: int) -> None:
        if self._dtype.kind not in "uif" or self._dtype.itemsize > 8:
            kind = "RGB" if self._dtype.fields else str(self._dtype)
            raise NotAnImage(f"{path.name} holds {kind} voxels: only real numbers are images")
        needed = self._offset + prod(shape) * self._dtype.itemsize
        size = self._data.stat().st_size
        if self._offset < lowest:
            raise NotAnImage(f"{path.name} has a damaged header: its voxels overlap it")
        if needed > (size * _MAX_RATIO if is_gzip(self._data) else size):
            raise NotAnImage(
                f"{path.name} is truncated: its voxels reach to byte {needed}, the file has {size}"
            )


def is_nifti(head: bytes) -> bool:
    """Whether a (decompressed) file starts like NIfTI-1 or NIfTI-2."""
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def peek(path: Path, count: int) -> bytes:
    """The first bytes of a file, decompressed if it is gzipped; none if it is damaged."""
    try:
        with gzip.open(path, "rb") if is_gzip(path) else path.open("rb") as stream:
            return stream.read(count)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""


def _header_size(head: bytes) -> int:
    return next((n for n in VERSIONS if n.to_bytes(4, "little") in (head[:4], head[3::-1])), 0)


def _raw_header(path: Path) -> tuple[bytes, int]:
    """The header's bytes and its version."""
    head = peek(path, 544)
    size = _header_size(head)
    if not is_nifti(head) or not size or len(head) < size:
        raise NotAnImage(f"{path.name} is not a NIfTI file that can be read")
    if head[_MAGIC_AT[VERSIONS[size][0]] + 1] == ord("+") and len(head) > size and head[size]:
        warnings.warn(
            f"{path.name}: its header extensions are dropped, they may name persons",
            SourceWarning,
            stacklevel=2,
        )
    return head[:size], VERSIONS[size][0]


def _data_path(path: Path, magic: bytes) -> Path:
    """The file that holds the voxels: the same one, or the ``.img`` of a pair."""
    if magic[1:2] == b"+":
        return path
    stem = path.with_suffix("") if path.suffix == ".gz" else path
    for suffix in (".img", ".img.gz"):
        if (candidate := stem.with_suffix(suffix)).is_file():
            return candidate
    raise NotAnImage(f"{path.name} is the header of a NIfTI pair: its .img file is missing")


def _canonical(sizes: list[int], name: str) -> Shape5:
    """The shape (t, c, z, y, x) of a file with these dimensions (x, y, z, t, v, ...)."""
    if not sizes or min(sizes) < 1 or any(n > 1 for n in sizes[5:]):
        raise NotAnImage(f"{name} has the dimensions {sizes}: an image has x, y, z, t and a vector")
    x, y, z, t, v = (*sizes[:5], 1, 1, 1, 1)[:5]
    return t, v, z, y, x


def _calibration(header: Any) -> Calibration:
    """Voxel size and time step with their units."""
    space, time = header.get_xyzt_units()
    scale = {
        axis: float(step)
        for axis, step in zip("xyzt", header.get_zooms(), strict=False)
        if np.isfinite(step) and step > 0
    }
    unit = space_unit(space)
    units = {axis: time_unit(time) if axis == "t" else unit for axis in scale}
    return Calibration(scale, units)
