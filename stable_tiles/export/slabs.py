"""Slabs: what an export reads at a time, in the order in which a file wants its pixels."""

from __future__ import annotations

from collections.abc import Sequence

from stable_tiles.region import Region

SLAB_BYTES = 32 * 2**20
"""Bytes read at a time; a single tile or row that is larger is read whole."""


def slabs(shape: Sequence[int], pixel_bytes: int, grid: tuple[int, int]) -> list[Region]:
    """The regions that, one after another, are an image in row-major order.

    Several whole planes where they fit into `SLAB_BYTES`, else a band of rows
    of one plane, else a part of a band one cell of `grid` high; so the cells
    of the grid also come in row-major order.

    Parameters
    ----------
    shape : sequence of int, (t, z, y, x)
    pixel_bytes : int
        Bytes of a pixel with all channels that are read together.
    grid : (int, int)
        Rows and columns of a cell.
    """
    t, z, y, x = shape
    high, wide = grid
    if planes := SLAB_BYTES // (y * x * pixel_bytes):
        deep = min(z, planes)
        long = min(t, planes // deep) if deep == z else 1
        step = (long, deep, y, x)
    elif rows := SLAB_BYTES // (x * pixel_bytes * high):
        step = (1, 1, rows * high, x)
    else:
        columns = max(1, SLAB_BYTES // (high * wide * pixel_bytes))
        step = (1, 1, high, columns * wide)
    return list(Region.whole(shape).divide(step))
