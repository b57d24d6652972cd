"""Plan: all regions of a translation, the tiles that make them, and what they will cost.

Decided before anything is read or written; plain data that can be printed,
compared and sent to workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from stable_tiles.region import Region
from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.tiling.order import morton_order


@dataclass(frozen=True)
class Plan:
    """What will be computed.

    Parameters
    ----------
    grid : TileGrid
        The tiles, in pixels of the source plane.
    regions : tuple of Region
        Regions (t, z, y, x) of the output, in the order of work.
    origin : tuple of int
        Where the output's first pixel (t, z, y, x) lies in the source.
    """

    grid: TileGrid
    regions: tuple[Region, ...]
    origin: tuple[int, int, int, int]

    def plane(self, region: Region) -> Region:
        """The (y, x) box of an output region in pixels of the source plane."""
        return Region(region.start[2:], region.stop[2:]).shifted(self.origin[2:])

    @property
    def tiles(self) -> int:
        """Forward passes of single planes, over all regions."""
        return sum(self._planes(r) * self.grid.count(self.plane(r)) for r in self.regions)

    @property
    def pixels_written(self) -> int:
        """Pixels of the output, counted once for all channels."""
        return sum(region.size for region in self.regions)

    @property
    def pixels_read(self) -> int:
        """Pixels that pass through the network, halos and repeated tiles included."""
        return sum(self._planes(r) * self.grid.pixels_read(self.plane(r)) for r in self.regions)

    @property
    def redundancy(self) -> float:
        """Pixels through the network for every pixel written; 1 where tiles read no halo."""
        return self.pixels_read / self.pixels_written

    @property
    def largest_region(self) -> Region:
        """The region that reads the most pixels."""
        return max(
            self.regions, key=lambda r: self._planes(r) * self.grid.reads(self.plane(r)).size
        )

    @staticmethod
    def _planes(region: Region) -> int:
        return region.shape[0] * region.shape[1]


def plan_regions(
    tiling: Tiling,
    plane: tuple[int, int],
    output: Region,
    regions: Sequence[Region],
    shard: tuple[int, int, int, int],
) -> Plan:
    """The plan that fills a box of the source.

    Parameters
    ----------
    tiling : Tiling
        How planes are cut into tiles.
    plane : tuple of int
        Height and width of the source's planes, pixels.
    output : Region
        The box (t, z, y, x) of the source that becomes the output.
    regions : sequence of Region
        What one task each writes, counted from the output's first pixel.
    shard : tuple of int
        Extent (t, z, y, x) of the output's shards (chunks where unsharded).

    Raises
    ------
    InputError
        If the tile is too small for its halo.
    ValueError
        If regions share a shard or do not partition the output: two writers in
        one shard would lose data silently.
    """
    _assert_whole_shards(output.shape, regions, shard)
    period = tuple(max(region.shape[axis] for region in regions) for axis in (2, 3))
    y, x = (
        Window(length, output.start[axis], output.stop[axis], period[axis - 2])
        for axis, length in zip((2, 3), plane, strict=True)
    )
    t, z, top, left = output.start
    ordered = morton_order(regions, (period[0], period[1]))
    return Plan(TileGrid.cover(tiling, y, x), tuple(ordered), (t, z, top, left))


def auto_tile(region: tuple[int, int], halo: int, stride: int, pixels: int) -> int:
    """The side of the largest tile of at most `pixels` pixels that divides a region evenly.

    Fewer, larger tiles read fewer halos.  The answer depends on nothing but
    the arguments, so it is the same on every machine.

    Parameters
    ----------
    region : tuple of int
        Height and width of a region, pixels.
    halo, stride : int
        Of the network.
    pixels : int
        Most pixels of one forward pass.

    Returns
    -------
    int
        Side in pixels, halo included; never below what `halo` and `stride` need.
    """
    margin = 2 * (halo + stride - 1)
    side = max(region)
    most = max(isqrt(pixels) - margin, stride)
    count = -(-side // most)
    core = -(-side // (count * stride)) * stride
    return core + margin


def _assert_whole_shards(
    shape: tuple[int, ...], regions: Sequence[Region], shard: tuple[int, int, int, int]
) -> None:
    for region in regions:
        aligned = all(
            start % step == 0 and (stop % step == 0 or stop == size)
            for start, stop, step, size in zip(region.start, region.stop, shard, shape, strict=True)
        )
        if not aligned:
            raise ValueError(f"{region} does not hold whole shards of {shard}")
    if len(set(regions)) != len(regions) or sum(r.size for r in regions) != _size(shape):
        raise ValueError("the regions do not partition the output")


def _size(shape: tuple[int, ...]) -> int:
    return Region.whole(shape).size
