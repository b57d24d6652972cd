"""Reader: the source, read region by region, its chunks decoded about once.

Neighbouring regions both read the chunks at their common border.  What others
need of such chunks is kept, decoded, until all of them have read it; what was
used longest ago goes first where the memory for it is full.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy.typing as npt

from stable_tiles.image.store import Image
from stable_tiles.region import Region
from stable_tiles.tiling.order import Curve
from stable_tiles.tiling.plan import Cut
from stable_tiles.translate.memory import empty

CACHE_BYTES = 64 * 2**20
"""Memory for decoded chunks that further regions need."""

Cell = tuple[int, int, int, int]
"""Index of a chunk along (t, z, y, x)."""

Span = tuple[int, int]
"""First pixel along one axis, and the one behind the last."""


class Reader:
    """Reads what regions need; for one thread at a time.

    Parameters
    ----------
    image : Image
        The source.
    channels : sequence of int or None
        Channels to read; None for all.
    cut : Cut
        What regions read.
    regions : Curve
        All regions of the output (t, z, y, x).
    limit_bytes : int
        Memory for chunks that are kept.
    """

    def __init__(
        self,
        image: Image,
        channels: Sequence[int] | None,
        cut: Cut,
        regions: Curve,
        limit_bytes: int = CACHE_BYTES,
    ) -> None:
        self._image, self._channels, self._limit = image, channels, limit_bytes
        t, _, z, y, x = image.axes.canonical_shape(image.levels[0].array.chunks)
        self._chunk = (t, z, y, x)
        self._readers = _readers(cut, regions, self._chunk)
        self._kept: OrderedDict[Cell, tuple[npt.NDArray[Any], Region]] = OrderedDict()
        self._left: dict[Cell, int] = {}
        self._bytes = 0

    @property
    def kept_bytes(self) -> int:
        """Memory of the chunks that are kept."""
        return self._bytes

    def read(self, box: Region) -> npt.NDArray[Any]:
        """Pixels (t, c, z, y, x) of a box (t, z, y, x) that one region reads."""
        own = self._own(box)
        block = self._room(box)
        if own is not None:
            self._fill(_cut(block, box, own), own)
        for run in self._runs(box, own):
            self._take(run, block, box)
        return block

    def _own(self, box: Region) -> Region | None:
        """The part of a box whose chunks no other region reads."""
        spans = []
        for axis, step in enumerate(self._chunk):
            cells = range(box.start[axis] // step, -(-box.stop[axis] // step))
            alone = [k for k in cells if len(self._readers[axis][k]) == 1]
            if not alone or alone[-1] - alone[0] >= len(alone):
                return None
            spans.append((alone[0] * step, (alone[-1] + 1) * step))
        return _box(spans).intersect(box)

    def _runs(self, box: Region, own: Region | None) -> Iterator[list[Cell]]:
        """The chunks of a box that are shared, each row of neighbours that are kept or not."""
        ranges = [
            range(a // step, -(-b // step))
            for a, b, step in zip(box.start, box.stop, self._chunk, strict=True)
        ]
        for t, z, y in product(*ranges[:3]):
            run: list[Cell] = []
            for x in ranges[3]:
                cell = (t, z, y, x)
                shared = own is None or self._region(cell).intersect(own) is None
                if run and not (shared and self._holds(cell, box) == self._holds(run[0], box)):
                    yield run
                    run = []
                if shared:
                    run.append(cell)
            if run:
                yield run

    def _take(self, run: list[Cell], block: npt.NDArray[Any], box: Region) -> None:
        """Copy a row of chunks into the block, and keep those that others need."""
        if self._holds(run[0], box):
            for cell in run:
                _put(block, box, *self._kept[cell])
                self._use(cell)
            return
        whole = Region(self._region(run[0]).start, self._region(run[-1]).stop)
        pixels = self._room(whole)
        self._fill(pixels, whole)
        _put(block, box, pixels, whole)
        for cell in run:
            self._keep(cell, box, pixels, whole)

    def _holds(self, cell: Cell, box: Region) -> bool:
        """Whether what is kept of a chunk is all that a box needs of it.

        A region that is made again needs more than what was kept for the others.
        """
        kept = self._kept.get(cell)
        needed = self._region(cell).intersect(box)
        return kept is not None and needed is not None and kept[1].intersect(needed) == needed

    def _keep(self, cell: Cell, box: Region, pixels: npt.NDArray[Any], area: Region) -> None:
        """Keep what others than the region that reads `box` need of a chunk."""
        spans = product(*(of[k] for of, k in zip(self._readers, cell, strict=True)))
        others = [one for one in map(_box, spans) if one != box]
        if not others:
            return
        starts = map(min, zip(*(one.start for one in others), strict=True))
        stops = map(max, zip(*(one.stop for one in others), strict=True))
        needed = self._region(cell).intersect(Region(tuple(starts), tuple(stops)))
        assert needed is not None  # a reader of the chunk reads some of it
        part = _cut(pixels, area, needed)
        if part.nbytes > self._limit:
            return
        if cell in self._kept:
            self._drop(cell)
        own = empty(part.shape, part.dtype)
        own[...] = part
        self._kept[cell], self._left[cell] = (own, needed), len(others)
        self._bytes += own.nbytes
        while self._bytes > self._limit:
            self._drop(next(iter(self._kept)))

    def _use(self, cell: Cell) -> None:
        self._left[cell] -= 1
        self._kept.move_to_end(cell)
        if not self._left[cell]:
            self._drop(cell)

    def _drop(self, cell: Cell) -> None:
        self._bytes -= self._kept.pop(cell)[0].nbytes
        del self._left[cell]

    def _region(self, cell: Cell) -> Region:
        t, _, z, y, x = self._image.shape
        start = tuple(k * step for k, step in zip(cell, self._chunk, strict=True))
        stop = (
            min(a + step, size)
            for a, step, size in zip(start, self._chunk, (t, z, y, x), strict=True)
        )
        return Region(start, tuple(stop))

    def _room(self, box: Region) -> npt.NDArray[Any]:
        t, z, y, x = box.shape
        channels = self._image.shape[1] if self._channels is None else len(self._channels)
        return empty((t, channels, z, y, x), self._image.dtype)

    def _fill(self, room: npt.NDArray[Any], box: Region) -> None:
        self._image.read(box, channels=self._channels, out=room)


def _readers(cut: Cut, regions: Curve, chunk: Sequence[int]) -> list[defaultdict[int, list[Span]]]:
    """For each axis, what the regions that read a chunk of that index read."""
    every = []
    for axis, step in enumerate(chunk):
        of: defaultdict[int, list[Span]] = defaultdict(list)
        for box in map(cut.reads, regions.along(axis)):
            span = (box.start[axis], box.stop[axis])
            for k in range(span[0] // step, -(-span[1] // step)):
                of[k].append(span)
        every.append(of)
    return every


def _box(spans: Sequence[Span]) -> Region:
    starts, stops = zip(*spans, strict=True)
    return Region(starts, stops)


def _put(block: npt.NDArray[Any], box: Region, pixels: npt.NDArray[Any], area: Region) -> None:
    """Copy the pixels of an area into the block of a box, as far as they overlap."""
    part = box.intersect(area)
    if part is not None:
        t, z, y, x = part.relative_to(box.start).slices
        block[t, :, z, y, x] = _cut(pixels, area, part)


def _cut(pixels: npt.NDArray[Any], area: Region, part: Region) -> npt.NDArray[Any]:
    t, z, y, x = part.relative_to(area.start).slices
    return pixels[t, :, z, y, x]
