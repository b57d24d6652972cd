"""Order: regions along a Morton curve, so that neighbours in time are neighbours in the plane.

Regions of one plane follow each other, and the chunks that two neighbours
both read are then still in the cache.  A curve knows its regions by number and
holds none of them: a million take as much memory as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from stable_tiles.region import Region

_QUADRANTS = tuple(product((0, 1), repeat=2))

_Four = tuple[int, int, int, int]


@dataclass(frozen=True)
class Curve:
    """The regions (t, z, y, x) that partition a box, by t, then z, then along the Morton curve.

    Parameters
    ----------
    shape : tuple of int
        Extent of the box along (t, z, y, x), pixels.
    block : tuple of int
        Extent of a region that is not clipped at the end of the box, pixels.
    """

    shape: _Four
    block: _Four

    @property
    def counts(self) -> _Four:
        """Regions along each axis."""
        t, z, y, x = (-(-size // step) for size, step in zip(self.shape, self.block, strict=True))
        return t, z, y, x

    def __len__(self) -> int:
        return prod(self.counts)

    def __getitem__(self, number: int) -> Region:
        if not 0 <= number < len(self):
            raise IndexError(f"no region {number} among {len(self)}")
        _, slices, rows, columns = self.counts
        plane, place = divmod(number, rows * columns)
        return self._region((*divmod(plane, slices), *_cell(place, rows, columns)))

    def __iter__(self) -> Iterator[Region]:
        return map(self.__getitem__, range(len(self)))

    def number(self, region: Region) -> int | None:
        """The number of a region; None if it is none of these."""
        t, z, row, column = (a // step for a, step in zip(region.start, self.block, strict=True))
        if self._region((t, z, row, column)) != region:
            return None
        _, slices, rows, columns = self.counts
        return (t * slices + z) * rows * columns + _place((row, column), rows, columns)

    def total(self, value: Callable[[Region], int]) -> int:
        """The sum of a value over all regions, where it is a product of one factor for each axis.

        Asks for the value of regions along the axes only.
        """
        sums = [sum(map(value, self.along(axis))) for axis in range(4)]
        return int(prod(sums) // value(self._region((0, 0, 0, 0))) ** 3)

    def largest(self, value: Callable[[Region], int]) -> Region:
        """A region with the largest value, where that is a product of one factor for each axis."""
        starts = [max(self.along(axis), key=value).start[axis] for axis in range(4)]
        t, z, y, x = (a // step for a, step in zip(starts, self.block, strict=True))
        return self._region((t, z, y, x))

    def along(self, axis: int) -> Iterator[Region]:
        """The regions whose numbers along all other axes are 0."""
        for k in range(self.counts[axis]):
            t, z, y, x = (k if other == axis else 0 for other in range(4))
            yield self._region((t, z, y, x))

    def _region(self, cell: _Four) -> Region:
        start = tuple(k * step for k, step in zip(cell, self.block, strict=True))
        stop = tuple(
            max(a, min(a + step, size))
            for a, step, size in zip(start, self.block, self.shape, strict=True)
        )
        return Region(start, stop)


def _cell(place: int, rows: int, columns: int) -> tuple[int, int]:
    """Row and column of the cell at a place of the curve through a grid."""
    row = column = 0
    for side, inside in _quadrants(rows, columns):
        for y, x in _QUADRANTS:
            cells = inside(row + y * side, column + x * side)
            if place < cells:
                row, column = row + y * side, column + x * side
                break
            place -= cells
    return row, column


def _place(cell: tuple[int, int], rows: int, columns: int) -> int:
    """Where on the curve through a grid a cell lies."""
    place = row = column = 0
    for side, inside in _quadrants(rows, columns):
        own = int(cell[0] >= row + side), int(cell[1] >= column + side)
        for y, x in _QUADRANTS[: _QUADRANTS.index(own)]:
            place += inside(row + y * side, column + x * side)
        row, column = row + own[0] * side, column + own[1] * side
    return place


def _quadrants(rows: int, columns: int) -> Iterator[tuple[int, Callable[[int, int], int]]]:
    """Sides of ever smaller squares, and how many cells of the grid lie in one at a corner."""
    side = 1 << (max(rows, columns) - 1).bit_length()
    while side > 1:
        side //= 2

        def inside(row: int, column: int, side: int = side) -> int:
            height, width = min(rows - row, side), min(columns - column, side)
            return max(0, height) * max(0, width)

        yield side, inside
