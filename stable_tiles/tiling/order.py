"""Order: regions along a Morton curve, so that neighbours in time are neighbours in the plane.

Regions of one plane follow each other, and the chunks that two neighbours
both read are then still in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable

from stable_tiles.region import Region


def morton(row: int, column: int) -> int:
    """The position of a cell on the Morton (Z-order) curve: both indices' bits, interleaved."""
    return sum(
        ((row >> bit & 1) << (2 * bit + 1)) | ((column >> bit & 1) << (2 * bit))
        for bit in range(max(row, column).bit_length())
    )


def morton_order(regions: Iterable[Region], period: tuple[int, int]) -> list[Region]:
    """Regions (t, z, y, x) sorted by t, then z, then along the Morton curve.

    Parameters
    ----------
    regions : iterable of Region
        Their start in y and x is a multiple of `period`.
    period : tuple of int
        Height and width of a region that is not clipped, in pixels.
    """

    def key(region: Region) -> tuple[int, int, int]:
        t, z, y, x = region.start
        return t, z, morton(y // period[0], x // period[1])

    return sorted(regions, key=key)
