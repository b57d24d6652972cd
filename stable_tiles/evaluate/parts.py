"""Planes read in parts, so that memory is that of a part, whatever the size of the store."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError
from stable_tiles.image.store import Image
from stable_tiles.region import Region

PART = 2048
"""Side of the parts that planes are read in, pixels."""

Pixels = npt.NDArray[np.float32]


def parts(image: Image, margin: int) -> Iterator[tuple[Region, Region]]:
    """The parts of every plane, (t, z, y, x), and the same with the margin."""
    t, _, z, height, width = image.shape
    whole = Region.whole((t, z, height, width))
    for core in whole.divide((1, 1, PART, PART)):
        plane = Region((*core.start[:2], 0, 0), (*core.stop[:2], height, width))
        yield core, core.expand(margin, plane)


def read_plane(image: Image, region: Region, channel: int) -> Pixels:
    """The pixels (y, x) of one channel of a region of a single plane."""
    pixels: Pixels = image.read(region, channels=(channel,))[0, 0, 0].astype(np.float32)
    return pixels


def check_alike(a: Image, b: Image) -> None:
    """Refuse two images whose planes do not lie on each other.

    Raises
    ------
    InputError
        If their sizes in t, z, y or x differ.
    """
    sizes = [(i.shape[0], *i.shape[2:]) for i in (a, b)]
    if sizes[0] != sizes[1]:
        raise InputError(
            f"{a.name} has {sizes[0]} pixels along t, z, y, x and {b.name} has {sizes[1]}: "
            "compare images of one scene"
        )
