"""Plan: all regions of a translation, the tiles that make them, and what they will cost.

Decided before anything is read or written; plain data that can be printed,
compared and sent to workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import isqrt, prod

import numpy as np
import numpy.typing as npt

from stable_tiles.region import Region
from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.frames import Frames
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.tiling.order import Curve


@dataclass(frozen=True)
class Cut:
    """How any region becomes tiles.

    A network that is an encoder and a decoder may run as two passes: first the
    feature map of all that the second pass reads, then the output.  Each pass
    then needs the halo of its own half only, and large areas of halo are not
    computed by both halves.

    Parameters
    ----------
    grid : TileGrid
        The tiles of the last (or only) pass, in pixels of the source plane.
    first : Tiling or None
        How the first of two passes is cut; None where there is one pass.
    plane_shape : tuple of int
        Height and width of the source's planes, pixels.
    origin : tuple of int
        Where the output's first pixel (t, z, y, x) lies in the source.
    frames : Frames or None
        Of the source, where a frame is made from those around it.
    """

    grid: TileGrid
    first: Tiling | None
    plane_shape: tuple[int, int]
    origin: tuple[int, int, int, int]
    frames: Frames | None = None

    def plane(self, region: Region) -> Region:
        """The (y, x) box of an output region (t, z, y, x) in pixels of the source plane."""
        return Region(region.start[2:], region.stop[2:]).shifted(self.origin[2:])

    def planes(self, region: Region) -> list[tuple[int, int]]:
        """Indices t and z in the source of an output region's planes, t outermost."""
        box = Region(region.start[:2], region.stop[:2]).shifted(self.origin[:2])
        (first_t, first_z), (last_t, last_z) = box.start, box.stop
        return list(product(range(first_t, last_t), range(first_z, last_z)))

    def first_grid(self, region: Region) -> TileGrid | None:
        """The tiles of a region's first pass, which write all that its last pass reads."""
        if self.first is None:
            return None
        area = self.grid.reads(self.plane(region))
        y, x = (
            Window(length, start, stop, stop - start)
            for length, start, stop in zip(self.plane_shape, area.start, area.stop, strict=True)
        )
        return TileGrid.cover(self.first, y, x)

    def reads(self, region: Region) -> Region:
        """The box (t, z, y, x) of the source that an output region needs."""
        box = self.grid.reads(self.plane(region))
        first = self.first_grid(region)
        box = first.reads(box) if first else box
        planes = Region(region.start[:2], region.stop[:2]).shifted(self.origin[:2])
        (t, z), (last_t, last_z) = planes.start, planes.stop
        if self.frames:
            t, last_t = self.frames.reads(t, last_t)
        return Region((t, z, *box.start), (last_t, last_z, *box.stop))

    def windows(self, region: Region) -> npt.NDArray[np.intp] | None:
        """The planes that each plane of an output region is made from; None: of its own alone.

        Returns
        -------
        array of int, (n, frames), or None
            Positions among all planes that the region `reads`, t outermost, as the `n` planes are.
        """
        if self.frames is None:
            return None
        box = Region(region.start[:2], region.stop[:2]).shifted(self.origin[:2])
        first, depth = self.reads(region).start[0], box.shape[1]
        times = self.frames.windows(box.start[0], box.stop[0]) - first
        slices = np.arange(depth)[None, :, None]
        return (times[:, None] * depth + slices).reshape(-1, times.shape[1])

    def tiles(self, region: Region) -> int:
        """Forward passes of single planes through the last pass for an output region."""
        return _planes(region) * self.grid.count(self.plane(region))

    def pixels_last(self, region: Region) -> int:
        """Pixels that pass through the network, or the last of two passes, for a region."""
        return _planes(region) * self.grid.pixels_read(self.plane(region))

    def pixels_first(self, region: Region) -> int:
        """Pixels that pass through the first of two passes for a region."""
        first = self.first_grid(region)
        if first is None:
            return self.pixels_last(region)
        return _planes(region) * first.pixels_read(self.grid.reads(self.plane(region)))

    def largest_tile(self, region: Region) -> int:
        """Pixels of the largest forward pass of an output region."""
        grids = [self.grid, self.first_grid(region)]
        return max(grid.largest[0] * grid.largest[1] for grid in grids if grid)


@dataclass(frozen=True)
class Plan:
    """What will be computed.

    Parameters
    ----------
    cut : Cut
        How a region becomes tiles.
    regions : Curve
        Regions (t, z, y, x) of the output, in the order of work.
    """

    cut: Cut
    regions: Curve

    @property
    def tiles(self) -> int:
        """Forward passes of single planes, over all regions."""
        return self.regions.total(self.cut.tiles)

    @property
    def pixels_written(self) -> int:
        """Pixels of the output, counted once for all channels."""
        return prod(self.regions.shape)

    @property
    def redundancy(self) -> float:
        """Pixels through the network for every pixel written; 1 where tiles read no halo.

        Each of two passes is half the network.
        """
        last, first = map(self.regions.total, (self.cut.pixels_last, self.cut.pixels_first))
        return (last + first) / 2 / self.pixels_written

    @property
    def largest_region(self) -> Region:
        """The region that reads the most pixels."""
        return largest_region(self.cut, self.regions)


def largest_region(cut: Cut, regions: Curve) -> Region:
    """The region that reads the most pixels."""
    return regions.largest(lambda region: cut.reads(region).size)


def plan_regions(
    tilings: tuple[Tiling, Tiling | None],
    plane: tuple[int, int],
    output: Region,
    block: tuple[int, int, int, int],
    shard: tuple[int, int, int, int],
    frames: Frames | None = None,
) -> Plan:
    """The plan that fills a box of the source.

    Parameters
    ----------
    tilings : tuple of Tiling
        How the last pass, and the first of two, cut planes into tiles.
    plane : tuple of int
        Height and width of the source's planes, pixels.
    output : Region
        The box (t, z, y, x) of the source that becomes the output.
    block : tuple of int
        Extent (t, z, y, x) of what one task writes.
    shard : tuple of int
        Extent (t, z, y, x) of the output's shards (chunks where unsharded).
    frames : Frames, optional
        Of the source, where a frame is made from those around it.

    Raises
    ------
    InputError
        If the tile is too small for its halo.
    ValueError
        If regions share a shard: two writers in one shard would lose data silently.
    """
    t, z, height, width = output.shape
    for step, side, size in zip(block, shard, output.shape, strict=True):
        if step % side and step < size:
            raise ValueError(f"regions of {block} do not hold whole shards of {shard}")
    y, x = (
        Window(length, output.start[axis], output.stop[axis], min(block[axis], output.shape[axis]))
        for axis, length in zip((2, 3), plane, strict=True)
    )
    first_t, first_z, top, left = output.start
    last, first = tilings
    cut = Cut(TileGrid.cover(last, y, x), first, plane, (first_t, first_z, top, left), frames)
    return Plan(cut, Curve((t, z, height, width), block))


def auto_tile(area: tuple[int, int], halo: int, stride: int, pixels: int) -> tuple[int, int]:
    """The largest tile of at most `pixels` pixels that divides an area evenly.

    Fewer, larger tiles read fewer halos.  The answer depends on nothing but
    the arguments, so it is the same on every machine.

    Parameters
    ----------
    area : tuple of int
        Height and width of what is cut into tiles, pixels.
    halo, stride : int
        Of the network.
    pixels : int
        Most pixels of one forward pass.

    Returns
    -------
    (int, int)
        Height and width in pixels, halo included; never below what `halo` and
        `stride` need.
    """
    margin = 2 * (halo + stride - 1)

    def divided(most: int) -> int:
        count = -(-max(area) // max(most - margin, stride))
        return -(-max(area) // (count * stride)) * stride + margin

    height = divided(isqrt(pixels))
    return height, max(height, divided(pixels // height))


def _planes(region: Region) -> int:
    return region.shape[0] * region.shape[1]
