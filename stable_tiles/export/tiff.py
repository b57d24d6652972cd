"""Write TIFF: tiled, with the store's pyramid, one slab of pixels in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from stable_tiles.export.omexml import ome_xml
from stable_tiles.export.options import TiffCodec
from stable_tiles.export.plan import ExportPlan
from stable_tiles.export.slabs import slabs
from stable_tiles.image.sources.units import METERS
from stable_tiles.image.store import Level
from stable_tiles.progress import Progress
from stable_tiles.region import Region

CLASSIC_BYTES = 2**32 - 2**26
"""Size from which a file might outgrow the 32-bit offsets of classic TIFF."""

_LARGEST = 2**32 - 1
_NO_RESOLUTION = {"resolution": (1, 1), "resolutionunit": "NONE"}

_TILE = 512
_LEVEL = 1
_SOFTWARE = "stable-tiles"


def write_tiff(plan: ExportPlan, path: Path, codec: TiffCodec, progress: Progress) -> None:
    """Write the levels of a plan to a file.

    An OME-TIFF keeps coarser levels in the sub-IFDs of the pages; a plain TIFF
    of one plane as further pages, which is how OpenSlide finds them.
    """
    ome = plan.kind == "ome-tiff"
    total = sum(_tile_count(plan, level) for level in plan.levels)
    count = _Count(progress, total)
    with tifffile.TiffWriter(path, bigtiff=plan.bytes_raw > CLASSIC_BYTES) as writer:
        for number, level in enumerate(plan.levels):
            first = number == 0
            writer.write(
                _tiles(plan, number, count),
                shape=_shape(plan, level),
                subifds=len(plan.levels) - 1 if first and ome else None,
                subfiletype=0 if first else 1,
                description=ome_xml(plan.image, plan.dtype.name) if first and ome else None,
                **_how(plan, number, codec),
            )


def tile_shape(plan: ExportPlan) -> tuple[int, int]:
    """Rows and columns of a tile: the store's chunk where TIFF allows it, no larger than needed."""
    first = plan.levels[0]
    chunk = plan.image.axes.canonical_shape(first.array.chunks)[3:]
    sides = []
    for side, size in zip(chunk, first.shape[3:], strict=True):
        fits = side % 16 == 0 and 64 <= side <= 1024
        sides.append(min(side if fits else _TILE, -(-size // 16) * 16))
    return sides[0], sides[1]


def _how(plan: ExportPlan, number: int, codec: TiffCodec) -> dict[str, Any]:
    """The arguments of tifffile that all levels share."""
    integers = plan.dtype.kind in "ui" and plan.dtype.itemsize <= 4
    packed = codec != "none"
    return {
        "dtype": plan.dtype,
        "tile": tile_shape(plan),
        "photometric": "rgb" if plan.image.is_rgb else "minisblack",
        "planarconfig": "contig" if plan.image.is_rgb else None,
        "compression": {"deflate": "adobe_deflate"}.get(codec, codec) if packed else None,
        "compressionargs": {"level": _LEVEL} if codec in {"deflate", "zstd"} else None,
        "predictor": packed and integers,
        "metadata": None,
        "software": _SOFTWARE,
        **_resolution(plan, number),
    }


def _resolution(plan: ExportPlan, number: int) -> dict[str, Any]:
    """Pixels a centimetre of a level, where the physical size is known."""
    axes = {axis.name: axis for axis in plan.image.axes.items}
    x, y = axes["x"], axes["y"]
    if x.unit not in METERS or y.unit not in METERS:
        return _NO_RESOLUTION
    full, size = plan.levels[0].shape, plan.levels[number].shape
    per_cm = [
        0.01 / (axis.scale * METERS[axis.unit or ""]) * size[at] / full[at]
        for axis, at in ((x, 4), (y, 3))
    ]
    if not all(1 / _LARGEST < value < _LARGEST for value in per_cm):
        return _NO_RESOLUTION
    return {"resolution": tuple(map(_rational, per_cm)), "resolutionunit": "CENTIMETER"}


def _rational(value: float) -> tuple[int, int]:
    """The nearest quotient of two 32-bit integers."""
    fraction = Fraction(value).limit_denominator(int(min(_LARGEST, _LARGEST / value)))
    return fraction.numerator, fraction.denominator


def _shape(plan: ExportPlan, level: Level) -> tuple[int, ...]:
    """Shape of a level as TIFF has it: planes, y, x, and samples for a colour image."""
    t, c, z, y, x = level.shape
    if plan.image.is_rgb:
        return (t * z, y, x, c) if t * z > 1 else (y, x, c)
    return (t * c * z, y, x) if t * c * z > 1 else (y, x)


def _tile_count(plan: ExportPlan, level: Level) -> int:
    t, c, z, *plane = level.shape
    across = prod(-(-n // side) for n, side in zip(plane, tile_shape(plan), strict=True))
    return across * t * z * (1 if plan.image.is_rgb else c)


def _tiles(plan: ExportPlan, number: int, count: _Count) -> Iterator[npt.NDArray[Any]]:
    """The tiles of all planes of a level, each (y, x) or (y, x, samples), in the file's order."""
    level, tile = plan.levels[number], tile_shape(plan)
    index = plan.image.levels.index(level)
    samples = level.shape[1] if plan.image.is_rgb else 1
    for channels, region in _slabs(plan, level, tile):
        block = plan.image.read(region, index, channels).astype(plan.dtype, copy=False)
        for t, z in product(range(region.shape[0]), range(region.shape[1])):
            plane = block[t, :, z].transpose(1, 2, 0)
            for cell in Region.whole(plane.shape[:2]).divide(tile):
                cut = _whole(plane[cell.slices], tile)
                count.tick()
                yield cut if samples > 1 else cut[..., 0]


def _whole(cut: npt.NDArray[Any], tile: tuple[int, int]) -> npt.NDArray[Any]:
    """A tile (y, x, samples) filled up with zeros: tifffile's own filling spoils 2 x 1 pixels."""
    if cut.shape[:2] == tile:
        return cut
    return np.pad(cut, [*((0, n - k) for n, k in zip(tile, cut.shape, strict=False)), (0, 0)])


def _slabs(
    plan: ExportPlan, level: Level, tile: tuple[int, int]
) -> Iterator[tuple[list[int], Region]]:
    """What is read at a time, in the order of pages: t, then c, then z."""
    t, c, z, y, x = level.shape
    together = c if plan.image.is_rgb else 1
    pixel = together * plan.dtype.itemsize
    if together == c:
        yield from ((list(range(c)), region) for region in slabs((t, z, y, x), pixel, tile))
        return
    for frame, channel in product(range(t), range(c)):
        for region in slabs((1, z, y, x), pixel, tile):
            yield [channel], region.shifted((frame, 0, 0, 0))


class _Count:
    """Reports every tile that was handed over."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        progress("tiles", 0, total)

    def tick(self) -> None:
        """One more tile."""
        self._done += 1
        self._progress("tiles", self._done, self._total)
