"""Layout: the shapes of levels, chunks and shards of a store, decided before anything is written.

This module is the only one that knows which shards belong to which region.
A region of level 0 is one shard in y and x; the shards of level k shrink with
it (down to one chunk), so a region owns its shards on every level until a
chunk would straddle two regions.  Those coarser levels are built at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stable_tiles.errors import InputError
from stable_tiles.region import Region

SHARD_BYTES = 64 * 2**20
"""Decoded size that a shard of several planes stays near."""

UNSHARDED_REGION = 8
"""Side of a region, in chunks, where a store has no shards."""

Shape5 = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Level:
    """Shape, chunks and shards (None: unsharded) of one level, as (t, c, z, y, x)."""

    shape: Shape5
    chunks: Shape5
    shards: Shape5 | None


@dataclass(frozen=True)
class Layout:
    """All levels of a store, and how level 0 is cut into regions.

    Parameters
    ----------
    levels : tuple of Level
        From full resolution to the coarsest.
    region_shape : tuple of int
        Extent of a region along (t, z, y, x).
    owned : int
        Number of levels, counted from 0, whose shards each lie in one region.
    """

    levels: tuple[Level, ...]
    region_shape: tuple[int, int, int, int]
    owned: int

    @property
    def shape(self) -> Shape5:
        """Shape of level 0 as (t, c, z, y, x)."""
        return self.levels[0].shape

    def regions(self) -> list[Region]:
        """Regions over (t, z, y, x): they partition level 0 and hold whole shards."""
        t, _, z, y, x = self.shape
        return list(Region.whole((t, z, y, x)).divide(self.region_shape))


def plan_layout(
    shape: Sequence[int],
    itemsize: int,
    *,
    chunk: int = 512,
    shard: int = 4096,
    levels: int | Literal["auto"] = "auto",
    rgb: bool = False,
) -> Layout:
    """The layout of a store.

    Parameters
    ----------
    shape : sequence of int, (t, c, z, y, x)
        Shape of level 0.
    itemsize : int
        Bytes of a pixel of one channel.
    chunk, shard : int
        Sides in y and x, pixels; a `shard` of 0 means none, else it is a
        multiple of `chunk`.
    levels : int or "auto"
        Number of levels; ``auto`` halves until a plane fits into one chunk.
    rgb : bool
        Whether all channels share a chunk.

    Raises
    ------
    InputError
        If a size is out of range or `shard` is no multiple of `chunk`.
    """
    if chunk < 1 or shard < 0 or (shard and shard % chunk):
        raise InputError(
            f"shard {shard} is not a multiple of chunk {chunk}: use --shard {8 * chunk} or 0"
        )
    t, c, z, y, x = shape
    if min(t, c, z, y, x) < 1:
        raise InputError(f"an image of shape {tuple(shape)} has no pixels")
    count = _level_count((y, x), chunk) if levels == "auto" else levels
    if not 1 <= count <= 32:
        raise InputError(f"--levels {count} is not in 1..32: use auto")
    side = shard or UNSHARDED_REGION * chunk
    region_yx = tuple(min(side, _round_up(size, min(chunk, size))) for size in (y, x))
    channels = c if rgb else 1
    planes = max(1, round(SHARD_BYTES / (region_yx[0] * region_yx[1] * itemsize * channels)))
    region_z = min(z, planes)
    region_t = min(t, planes // region_z) if region_z == z else 1
    region = (region_t, region_z, region_yx[0], region_yx[1])
    plan = tuple(
        _level(k, (t, c, z, y, x), region, (chunk, channels, bool(shard))) for k in range(count)
    )
    return Layout(plan, region, _owned_levels((y, x), region_yx, chunk, count))


def _level_count(plane: tuple[int, int], chunk: int) -> int:
    count, size = 1, max(plane)
    while size > chunk:
        count, size = count + 1, -(-size // 2)
    return count


def _level(
    k: int, shape: Shape5, region: tuple[int, int, int, int], grid: tuple[int, int, bool]
) -> Level:
    chunk, channels, sharded = grid
    t, c, z, y, x = shape
    height, width = -(-y // 2**k), -(-x // 2**k)
    chunks = (1, channels, 1, min(chunk, height), min(chunk, width))
    shards = (
        region[0],
        channels,
        region[1],
        _shard_side(k, y, region[2], chunk),
        _shard_side(k, x, region[3], chunk),
    )
    return Level((t, c, z, height, width), chunks, shards if sharded else None)


def _shard_side(k: int, full: int, reach: int, chunk: int) -> int:
    """Side of a level-k shard along an axis of `full` pixels with regions of `reach` at level 0."""
    size = -(-full // 2**k)
    if reach < full and reach % 2**k == 0 and (reach >> k) % chunk == 0:
        return reach >> k
    return min(_round_up(size, min(chunk, size)), max(chunk, reach // chunk * chunk))


def _owned_levels(plane: tuple[int, int], region: Sequence[int], chunk: int, count: int) -> int:
    owned = 1
    while owned < count and all(
        reach >= size or (reach % 2**owned == 0 and (reach >> owned) % chunk == 0)
        for size, reach in zip(plane, region, strict=True)
    ):
        owned += 1
    return owned


def _round_up(size: int, step: int) -> int:
    return -(-size // step) * step
