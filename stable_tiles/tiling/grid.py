"""TileGrid: a plane covered by tiles, as the product of two axis tilings.

Pull, not push: a region asks for all tiles of the one global grid that reach
into it, and computes those on its border again.  What a pixel becomes depends
on its tiles and their order alone, never on how regions are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stable_tiles.region import Region
from stable_tiles.tiling.axis import Cell, Tiling, Window, cell_weights, cells_reaching


@dataclass(frozen=True)
class Tile:
    """One forward pass over a plane.

    Parameters
    ----------
    index : tuple of int
        Row and column in the grid.
    core : Region
        The pixels (y, x) it writes, or contributes to where tiles overlap.
    read : Region
        The pixels (y, x) it reads; contains `core`, starts on the stride.
    """

    index: tuple[int, int]
    core: Region
    read: Region


@dataclass(frozen=True)
class TileGrid:
    """All tiles of a plane.

    Parameters
    ----------
    tiling : Tiling
        The rule that cut both axes.
    rows, columns : tuple of Cell
        The cells along y and x, ascending.
    """

    tiling: Tiling
    rows: tuple[Cell, ...]
    columns: tuple[Cell, ...]

    @classmethod
    def cover(cls, tiling: Tiling, y: Window, x: Window) -> TileGrid:
        """The grid that writes the window ``y`` by ``x`` of a plane.

        Raises
        ------
        InputError
            If the tile is too small for its halo and stride.
        """
        return cls(tiling, tiling.of_rows.cells(y), tiling.cells(x))

    def tiles(self, region: Region) -> Iterator[Tile]:
        """All tiles that write a pixel of `region` (y, x), row by row."""
        (top, left), (bottom, right) = region.start, region.stop
        for row in cells_reaching(self.rows, top, bottom):
            for column in cells_reaching(self.columns, left, right):
                yield self._tile(row, column)

    def reads(self, region: Region) -> Region:
        """The smallest box (y, x) that holds whatever the tiles of `region` read."""
        spans = [
            (cells[touched[0]].read_start, cells[touched[-1]].read_stop)
            for cells, touched in (
                (cells, cells_reaching(cells, start, stop))
                for cells, start, stop in zip(
                    (self.rows, self.columns), region.start, region.stop, strict=True
                )
            )
        ]
        return Region((spans[0][0], spans[1][0]), (spans[0][1], spans[1][1]))

    def pixels_read(self, region: Region) -> int:
        """Pixels that pass through the network to make `region` (y, x)."""
        height, width = (
            sum(cells[k].read_stop - cells[k].read_start for k in cells_reaching(cells, a, b))
            for cells, a, b in zip(
                (self.rows, self.columns), region.start, region.stop, strict=True
            )
        )
        return height * width

    def count(self, region: Region) -> int:
        """Number of tiles that write a pixel of `region` (y, x)."""
        (top, left), (bottom, right) = region.start, region.stop
        rows = cells_reaching(self.rows, top, bottom)
        return len(rows) * len(cells_reaching(self.columns, left, right))

    def halved(self, tile: Tile) -> tuple[Tile, Tile] | None:
        """Two tiles that together make what a cropped tile makes, of half the pixels each.

        None where the tile is no longer than the stride, or tiles overlap: there a
        pixel depends on which tiles there are.
        """
        height, width = tile.core.shape
        axis = 0 if height >= width else 1
        stride, halo = self.tiling.stride, self.tiling.halo
        middle = (tile.core.start[axis] + max(height, width) // 2) // stride * stride
        if self.tiling.blend != "crop" or middle <= tile.core.start[axis]:
            return None
        first = _along(axis, tile.read, stop=-(-(middle + halo) // stride) * stride)
        last = _along(axis, tile.read, start=(middle - halo) // stride * stride)
        return (
            Tile(tile.index, _along(axis, tile.core, stop=middle), first),
            Tile(tile.index, _along(axis, tile.core, start=middle), last),
        )

    @property
    def largest(self) -> tuple[int, int]:
        """Height and width of the largest forward pass, in pixels."""
        height, width = (
            max(cell.read_stop - cell.read_start for cell in cells)
            for cells in (self.rows, self.columns)
        )
        return height, width

    def weights(self, tile: Tile) -> npt.NDArray[np.float32]:
        """The weights of a tile over its core; over all tiles they sum to one at each pixel.

        Returns
        -------
        array of float32, (y, x)
            In (0, 1].
        """
        row, column = tile.index
        return np.outer(
            cell_weights(self.tiling, self.rows, row),
            cell_weights(self.tiling, self.columns, column),
        )

    def _tile(self, row: int, column: int) -> Tile:
        y, x = self.rows[row], self.columns[column]
        return Tile(
            (row, column),
            Region((y.start, x.start), (y.stop, x.stop)),
            Region((y.read_start, x.read_start), (y.read_stop, x.read_stop)),
        )


def _along(axis: int, box: Region, start: int | None = None, stop: int | None = None) -> Region:
    """The box, which begins or ends along an axis no earlier, or no later, than told."""
    starts, stops = list(box.start), list(box.stop)
    if start is not None:
        starts[axis] = max(starts[axis], start)
    if stop is not None:
        stops[axis] = min(stops[axis], stop)
    return Region(tuple(starts), tuple(stops))
