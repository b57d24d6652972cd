"""Percentiles of images that store none: one pass over the pixels, with positions of bad ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy.typing as npt

from stable_tiles.errors import WorkFailed
from stable_tiles.image.store import Image
from stable_tiles.intensity import Histogram
from stable_tiles.region import Region
from stable_tiles.train.faults import BadPixels
from stable_tiles.train.reader import BlockReader

_PIXELS = 2**24


def with_percentiles(image: Image, percents: Sequence[float], *, skip_bad: bool) -> Image:
    """The image with these percentiles among its attributes; itself where it stores them.

    Parameters
    ----------
    image : Image
    percents : sequence of float
        In 0..100.
    skip_bad : bool
        Leave out blocks that cannot be read.

    Raises
    ------
    BadPixels
        If a chunk cannot be read, unless such are skipped; names its position.
    """
    if image.stored_percentiles(percents) is not None:
        return image
    histogram = Histogram(image.shape[1], image.dtype)
    for region in image.blocks(_PIXELS):
        for block in _readable(image, region, skip_bad):
            histogram.update(block)
    rows = histogram.percentiles(percents)
    keys = [f"{percent:g}" for percent in percents]
    known = {"percentiles": [dict(zip(keys, row, strict=True)) for row in rows]}
    return replace(image, attributes={**image.attributes, "intensity": known})


def _readable(image: Image, region: Region, skip_bad: bool) -> Iterator[npt.NDArray[Any]]:
    """The region's pixels as (t, c, z, y, x): as one block, or what of it can be read."""
    try:
        yield image.read(region)
        return
    except WorkFailed:
        reader = BlockReader(image, 0)
    t, z = (range(a, b) for a, b in zip(region.start[:2], region.stop[:2], strict=True))
    window = Region(region.start[2:], region.stop[2:])
    for plane, cell in product(product(t, z), list(window.divide(reader.chunk))):
        try:
            yield reader.read(plane, cell)[None, :, None]
        except BadPixels:
            if not skip_bad:
                raise
