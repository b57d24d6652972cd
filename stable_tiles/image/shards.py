"""Shards: the files that hold a region, so that a receipt can name them."""

from __future__ import annotations

from itertools import product

from stable_tiles.image.spec import ImageSpec
from stable_tiles.region import Region


def region_files(spec: ImageSpec, region: Region) -> list[str]:
    """Paths of all files that hold a region, on every level it owns.

    Parameters
    ----------
    spec : ImageSpec
        What the store was created with.
    region : Region
        One of ``layout.regions()``, over (t, z, y, x).

    Returns
    -------
    list of str
        Relative to the store, ascending by level.  No two regions share one.
    """
    return [
        path for level in range(spec.layout.owned) for path in _level_files(spec, region, level)
    ]


def _level_files(spec: ImageSpec, region: Region, level: int) -> list[str]:
    plan = spec.layout.levels[level]
    t, z, *corner = region.start
    start = (t, 0, z, *(n >> level for n in corner))
    stop = (
        region.stop[0],
        plan.shape[1],
        region.stop[1],
        *(-(-n // 2**level) for n in region.stop[2:]),
    )
    cells = [
        range(a // step, -(-b // step))
        for a, b, step in zip(start, stop, plan.shards or plan.chunks, strict=True)
    ]
    prefix = f"{level}/c" if spec.ngff == "0.5" else str(level)
    return ["/".join([prefix, *map(str, spec.axes.project(cell))]) for cell in product(*cells)]
