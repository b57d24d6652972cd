"""Axis tilings: how one axis of a plane is cut into cells; a grid is a product of two.

This module alone knows where tiles start and how far they read.  Its rules
make a tile equal to the whole plane for a network of finite reach: a cell
starts reading on the network's stride, reads `halo` pixels beyond what it
writes, and is clipped, never padded, at the true ends of the axis::

    axis    |------------------------------------------|
    reads   [==========]
                  [================]
                              [========================]
    writes  [-------)[---------)[----------------------)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError
from stable_tiles.tiling.blend import Blend, profile


@dataclass(frozen=True)
class Cell:
    """A tile along one axis: it writes ``start..stop`` and reads ``read_start..read_stop``."""

    start: int
    stop: int
    read_start: int
    read_stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.read_start <= self.start < self.stop <= self.read_stop:
            raise ValueError(f"cell {self} reads less than it writes")


@dataclass(frozen=True)
class Window:
    """The part of an axis that is written, and how regions cut it.

    Parameters
    ----------
    length : int
        Pixels of the whole axis.
    start, stop : int
        The pixels to write.
    period : int
        Pixels of a region along this axis, counted from `start`.
    """

    length: int
    start: int
    stop: int
    period: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < self.stop <= self.length and self.period > 0):
            raise ValueError(f"window {self} is not inside its axis")


@dataclass(frozen=True)
class Tiling:
    """The rule that cuts an axis into cells.

    Parameters
    ----------
    tile : int
        Most pixels that one forward pass reads along an axis, halo included.
    halo : int
        Pixels a tile reads beyond what it writes; with blends, half the overlap.
    stride : int
        Grid on which every tile must start.
    blend : Blend
        How overlapping tiles become one image.
    height : int, optional
        Most pixels along y, where that is less than `tile`.
    """

    tile: int
    halo: int
    stride: int
    blend: Blend
    height: int | None = None

    def __post_init__(self) -> None:
        if self.tile < 1 or self.halo < 0 or self.stride < 1:
            raise ValueError(f"tiling {self} has a size that is not positive")
        if self.height is not None and not 1 <= self.height <= self.tile:
            raise ValueError(f"tiling {self} is higher than wide")

    @property
    def of_rows(self) -> Tiling:
        """The rule along y."""
        return self if self.height is None else replace(self, tile=self.height, height=None)

    @property
    def most_pixels(self) -> int:
        """Pixels of the largest forward pass."""
        return self.tile * self.of_rows.tile

    @property
    def overlap(self) -> int:
        """Pixels that neighbouring tiles share: 0 for ``crop``."""
        return 0 if self.blend == "crop" else 2 * self.halo

    def cells(self, window: Window) -> tuple[Cell, ...]:
        """The cells of an axis, in ascending order, that together write the window.

        With ``crop`` what cells write partitions the window, and every border
        of a period is a border of cells.  With the other modes the cells
        depend on the axis' length alone, not on the window or the period.

        Raises
        ------
        InputError
            If the tile is too small for its halo and stride.
        """
        return self._crop(window) if self.blend == "crop" else self._overlapping(window)

    def _crop(self, window: Window) -> tuple[Cell, ...]:
        widest = self._widest_core(window)
        borders = []
        for begin in range(window.start, window.stop, window.period):
            end = min(begin + window.period, window.stop)
            borders += _even_borders(begin, end, widest, self.stride)
        borders.append(window.stop)
        return tuple(self._cell(start, stop, window.length) for start, stop in pairwise(borders))

    def _cell(self, start: int, stop: int, length: int) -> Cell:
        read_start = max(0, start - self.halo) // self.stride * self.stride
        read_stop = -(-(stop + self.halo) // self.stride) * self.stride
        return Cell(start, stop, read_start, min(length, read_stop))

    def _widest_core(self, window: Window) -> int:
        if window.length <= self.tile:
            return window.length
        margin = 2 * (self.halo + self.stride - 1)
        widest = (self.tile - margin) // self.stride * self.stride
        if widest < 1:
            need = margin + self.stride
            raise InputError(
                f"tile {self.tile} leaves nothing to write between halos of {self.halo} pixels: "
                f"use --tile {need} or more, --tile auto, or a smaller --halo"
            )
        return widest

    def _overlapping(self, window: Window) -> tuple[Cell, ...]:
        if window.length <= self.tile:
            return (Cell(0, window.length, 0, window.length),)
        step = (self.tile - self.overlap) // self.stride * self.stride
        if step < 1:
            raise InputError(
                f"tile {self.tile} is not above the overlap of {self.overlap} pixels (twice the "
                f"halo): use --tile {self.overlap + self.stride} or more, or a smaller --halo"
            )
        last = -(-(window.length - self.tile) // self.stride) * self.stride
        starts = [*range(0, last, step), last]
        spans = ((start, min(start + self.tile, window.length)) for start in starts)
        return tuple(
            Cell(start, stop, start, stop)
            for start, stop in spans
            if start < window.stop and stop > window.start
        )


def _even_borders(begin: int, end: int, widest: int, stride: int) -> list[int]:
    count = -(-(end - begin) // widest)
    step = min(widest, -(-(end - begin) // (count * stride)) * stride)
    return list(range(begin, end, step))


def cells_reaching(cells: Sequence[Cell], start: int, stop: int) -> range:
    """The indices of the cells that write any of the pixels ``start..stop``."""
    first = bisect_right(cells, start, key=lambda cell: cell.stop)
    return range(first, bisect_left(cells, stop, key=lambda cell: cell.start))


@lru_cache(maxsize=4096)
def cell_weights(tiling: Tiling, cells: tuple[Cell, ...], index: int) -> npt.NDArray[np.float32]:
    """The weights of one cell: its profile divided by the sum of all that overlap it.

    Returns
    -------
    array of float32, (stop - start,)
        In (0, 1]; over all cells the weights at a position sum to one.
    """
    own = cells[index]
    total = np.zeros(own.stop - own.start)
    for other in (cells[k] for k in cells_reaching(cells, own.start, own.stop)):
        start, stop = max(own.start, other.start), min(own.stop, other.stop)
        shape = profile(tiling.blend, other.stop - other.start, tiling.overlap)
        total[start - own.start : stop - own.start] += shape[
            start - other.start : stop - other.start
        ]
    return (profile(tiling.blend, own.stop - own.start, tiling.overlap) / total).astype(np.float32)
