"""Segments: boxes of TIFF pages, decoded tile by tile or strip by strip.

The only module that knows how a TIFF page is cut into segments.  Bytes come
by positioned reads and are decoded by tifffile's stateless decoder, so any
number of threads share one object; only segments that a box touches are read.
"""

from __future__ import annotations

import os
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from stable_tiles.errors import NotAnImage, WorkFailed, first_line
from stable_tiles.image.sources.raw import RawPlanes, read_at
from stable_tiles.image.sources.source import SourceWarning
from stable_tiles.usage import decodable_bytes

MAX_SEGMENT_BYTES = 2**30
"""Largest decoded tile or strip; it has to be in memory whole."""

RECENT_BYTES = 256 * 2**20
"""Bound on decoded strips kept: they are wider than a region and serve its neighbours too."""

Page = tifffile.TiffPage | tifffile.TiffFrame


class Segments:
    """The planes of a TIFF series.

    A plane is one (y, x) image with the samples that are interleaved in it;
    planes are counted through pages, then separate samples, then depth.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        The series; its file may be closed afterwards.
    name : str
        Name of the file, for errors.

    Raises
    ------
    NotAnImage
        If the file is truncated, or its pixels are of a kind that cannot be decoded.
    """

    def __init__(self, series: tifffile.TiffPageSeries, name: str) -> None:
        keyframe = series.keyframe
        if keyframe.dtype is None or 0 in keyframe.shaped:
            raise NotAnImage(f"{name} holds no pixels of a dtype that can be read")
        self.name = name
        self._keyframe = keyframe
        self._separate, self._depth, self._rows, self._columns, self.samples = keyframe.shaped
        self._slabs = self._separate * self._depth
        self._descriptors: dict[Path, int] = {}
        self._recent = _Recent(RECENT_BYTES)
        self._raw: RawPlanes | None = None
        self._pages: list[Page | None] = []
        self._missing = 0
        try:
            self._attach(series)
        except BaseException:
            self.close()
            raise

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that hold pages of the series."""
        return tuple(self._descriptors)

    def box(
        self,
        plane: int,
        rows: slice,
        columns: slice,
        out: npt.NDArray[Any] | None = None,
    ) -> npt.NDArray[Any]:
        """Pixels of a box of one plane, as an array (rows, columns, samples).

        They are put into `out` where it is given.  Where samples are
        interleaved in compressed segments, the array is a view of planes that
        lie apart.

        Raises
        ------
        WorkFailed
            If a segment cannot be decoded.
        """
        if self._raw is not None:
            return self._raw.box(plane, rows, columns, out)
        page = self._pages[plane // self._slabs]
        slab = plane % self._slabs
        if page is not None and self._keyframe.is_final:
            return self._raw_planes(page, page.dataoffsets[0]).box(slab, rows, columns, out)
        # Samples lie apart in memory, as whoever asks wants them: parting them tile by tile
        # happens in the cache.
        shape = (self.samples, rows.stop - rows.start, columns.stop - columns.start)
        planar = np.empty(shape, self._keyframe.dtype) if out is None else out.transpose(2, 0, 1)
        if page is None or self._missing:
            planar.fill(self._keyframe.nodata)
        box = planar.transpose(1, 2, 0)
        if page is not None:
            for index in self._touched(slab, rows, columns):
                self._paste(page, index, slab, (rows, columns), box)
        return box

    def close(self) -> None:
        """Close the files."""
        for file in self._descriptors.values():
            os.close(file)
        self._descriptors.clear()

    def _attach(self, series: tifffile.TiffPageSeries) -> None:
        """Open the files and see that every byte that will be needed is there."""
        offset = series.dataoffset
        if offset is not None:
            first = series[0]
            assert first is not None  # a series with an offset has its first page
            self._raw = self._raw_planes(first, offset)
            self._refuse_truncated(first, offset + series.nbytes)
            return
        self._pages = list(series)
        missing, total = 0, 0
        for page in self._pages:
            if page is None:
                missing, total = missing + 1, total + 1
                continue
            self._descriptor(page)
            expected = prod(self._keyframe.chunked)
            listed = min(expected, len(page.dataoffsets))  # a damaged file may declare billions
            places = [_place(page, index) for index in range(listed)]
            missing, total = missing + expected - sum(n > 0 for _, n in places), total + expected
            self._refuse_truncated(page, max((a + n for a, n in places if n), default=0))
        self._missing = missing
        if missing >= total:
            raise NotAnImage(f"{self.name} holds no pixels: all of its tiles are missing")
        if missing:
            warnings.warn(
                f"{self.name}: {missing} of {total} tiles are missing; "
                f"they read as {self._keyframe.nodata}",
                SourceWarning,
                stacklevel=2,
            )
        self._refuse_large_segments()
        _ = self._keyframe.decode  # made once, before threads share it

    def _descriptor(self, page: Page) -> int:
        path = Path(page.parent.filehandle.path)
        if path not in self._descriptors:
            self._descriptors[path] = os.open(path, os.O_RDONLY)
        return self._descriptors[path]

    def _raw_planes(self, page: Page, offset: int) -> RawPlanes:
        keyframe = self._keyframe
        assert keyframe.dtype is not None  # refused when opened
        dtype = keyframe.dtype.newbyteorder(keyframe.parent.byteorder)
        shape = (self._rows, self._columns, self.samples)
        return RawPlanes(self.name, self._descriptor(page), offset, shape, dtype)

    def _refuse_truncated(self, page: Page, needed: int) -> None:
        size = os.fstat(self._descriptor(page)).st_size
        if needed > size:
            raise NotAnImage(
                f"{self.name} is truncated: its pixels reach to byte {needed}, the file has {size}"
            )

    def _refuse_large_segments(self) -> None:
        keyframe = self._keyframe
        if keyframe.is_final:
            return
        size = prod(keyframe.chunks) * np.dtype(keyframe.dtype).itemsize
        if size > (most := decodable_bytes(MAX_SEGMENT_BYTES)):
            raise NotAnImage(
                f"{self.name} is compressed in pieces of {size >> 20} MiB (at most "
                f"{most >> 20}): save it again with tiles"
            )

    def _touched(self, slab: int, rows: slice, columns: slice) -> Iterator[int]:
        """Indices of the segments that hold pixels of the box."""
        page = self._keyframe
        high = page.tilelength if page.is_tiled else page.rowsperstrip
        wide = page.tilewidth if page.is_tiled else self._columns
        deep = page.tiledepth if page.is_tiled else 1
        down, across = -(-self._rows // high), -(-self._columns // wide)
        sample, depth = divmod(slab, self._depth)
        layer = sample * -(-self._depth // deep) + depth // deep
        for row in range(rows.start // high, -(-rows.stop // high)):
            for column in range(columns.start // wide, -(-columns.stop // wide)):
                yield (layer * down + row) * across + column

    def _paste(
        self,
        page: Page,
        index: int,
        slab: int,
        where: tuple[slice, slice],
        box: npt.NDArray[Any],
    ) -> None:
        """Copy the part of a segment that lies in the box."""
        found = self._segment(page, index)
        if found is None:
            return
        data, (_, depth, top, left, _) = found
        plane = data[slab % self._depth - depth]
        rows, columns = where
        y0, y1 = max(rows.start, top), min(rows.stop, top + plane.shape[0])
        x0, x1 = max(columns.start, left), min(columns.stop, left + plane.shape[1])
        if y0 < y1 and x0 < x1:
            inside = plane[y0 - top : y1 - top, x0 - left : x1 - left]
            box[y0 - rows.start : y1 - rows.start, x0 - columns.start : x1 - columns.start] = inside

    def _segment(self, page: Page, index: int) -> tuple[npt.NDArray[Any], tuple[int, ...]] | None:
        """A decoded segment (depth, rows, columns, samples) and its place, or None if missing."""
        offset, count = _place(page, index)
        if count == 0:
            return None
        striped = not self._keyframe.is_tiled
        key = (offset, page.index)
        if striped and (known := self._recent.find(key)):
            return known
        encoded = read_at(self._descriptor(page), count, offset)
        data, place = self._decode(page, index, encoded)
        if striped:
            self._recent.keep(key, (data, place))
        return data, place

    def _decode(
        self, page: Page, index: int, encoded: bytes
    ) -> tuple[npt.NDArray[Any], tuple[int, ...]]:
        tables: dict[str, Any] = {}
        if self._keyframe.compression in {6, 7, 34892, 33007}:  # the JPEG family
            tables = {"jpegtables": page.jpegtables, "jpegheader": self._keyframe.jpegheader}
        try:
            data, place, _ = self._keyframe.decode(encoded, index, **tables)
        except Exception as error:
            # Codecs raise whatever they like; a damaged file must read as one line.
            kind = "tile" if self._keyframe.is_tiled else "strip"
            raise WorkFailed(
                f"{self.name}: {kind} {index} of page {page.index} cannot be decoded: "
                f"{first_line(error)}"
            ) from error
        assert data is not None  # only an absent segment decodes to nothing
        return data, place


def _place(page: Page, index: int) -> tuple[int, int]:
    """Offset and size of a segment; size 0 where it is missing."""
    if index >= min(len(page.dataoffsets), len(page.databytecounts)):
        return 0, 0
    offset = page.dataoffsets[index]
    return offset, page.databytecounts[index] if offset > 0 else 0


class _Recent:
    """The segments decoded last, up to a number of bytes; shared by threads."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._lock = Lock()
        self._kept: OrderedDict[Any, tuple[npt.NDArray[Any], tuple[int, ...]]] = OrderedDict()

    def find(self, key: Any) -> tuple[npt.NDArray[Any], tuple[int, ...]] | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: Any, value: tuple[npt.NDArray[Any], tuple[int, ...]]) -> None:
        with self._lock:
            if key in self._kept or value[0].nbytes > self._capacity:
                return
            self._kept[key] = value
            self._size += value[0].nbytes
            while self._size > self._capacity:
                _, (dropped, _) = self._kept.popitem(last=False)
                self._size -= dropped.nbytes
