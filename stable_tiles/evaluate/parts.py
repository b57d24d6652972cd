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

FRAMES_PIXELS = 2**23
"""Pixels of a few frames that are read at a time."""

Pixels = npt.NDArray[np.float32]
Span = tuple[Region, Region]


def parts(image: Image, margin: int, *, mean_over_time: bool = False) -> Iterator[Span]:
    """The parts of every plane, and the same with the margin.

    Parameters
    ----------
    image : Image
    margin : int
        Pixels around a part, clipped to the plane.
    mean_over_time : bool
        Whether all frames of a z count as one plane.

    Yields
    ------
    (Region, Region)
        Over (t, z, y, x): together the cores are the image, and do not overlap.
    """
    t, _, z, height, width = image.shape
    whole = Region.whole((t, z, height, width))
    for core in whole.divide((t if mean_over_time else 1, 1, PART, PART)):
        plane = Region((*core.start[:2], 0, 0), (*core.stop[:2], height, width))
        yield core, core.expand(margin, plane)


def read_plane(image: Image, region: Region, channel: int) -> Pixels:
    """The pixels (y, x) of one channel of a region of a single z: the mean of its frames.

    Frames are read a few at a time.
    """
    frames = region.shape[0]
    step = max(1, FRAMES_PIXELS // max(1, region.size // frames))
    total = np.zeros(region.shape[2:], np.float64)
    for start in range(region.start[0], region.stop[0], step):
        stop = min(start + step, region.stop[0])
        few = Region((start, *region.start[1:]), (stop, *region.stop[1:]))
        total += image.read(few, channels=(channel,))[:, 0, 0].sum(axis=0, dtype=np.float64)
    mean: Pixels = (total / frames).astype(np.float32)
    return mean


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
