"""Leaks: the same image on two sides that must not share one, found before any work.

A store is the same under another spelling of its path, through a link, and as
a copy: copies are known by their content, so rechunking does not hide one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError, WorkFailed
from stable_tiles.image.store import Image
from stable_tiles.region import Region

LOOKED_AT = 256
"""Side of the windows of level 0 that copies are known by."""


def refuse_shared(first: Sequence[Image], second: Sequence[Image], advice: str) -> None:
    """Refuse a store that is on both sides.

    Raises
    ------
    InputError
        Names the store as it was given, and its twin where that has another name.
    """
    known = {mark: image for image in first for mark in _marks(image)}
    for image in second:
        for mark in _marks(image):
            if mark in known:
                raise InputError(f"{_named(known[mark], image)}: {advice}")


def _named(one: Image, other: Image) -> str:
    if one.path == other.path:
        return f"{one.path} is given twice"
    return f"{one.path} and {other.path} are the same image"


def _marks(image: Image) -> tuple[str, ...]:
    """What the image is known by: its place, and its content where that says something."""
    content = _content(image)
    return (_place(image.path), content) if content else (_place(image.path),)


def _place(path: str) -> str:
    local = path.removeprefix("file://")
    return local.rstrip("/") if "://" in local else os.path.realpath(local)


def _content(image: Image) -> str | None:
    """A digest of some pixels of every channel; None where they are all alike, or unreadable."""
    mark = hashlib.sha256(f"{image.shape} {image.dtype}".encode())
    varied = False
    try:
        for pixels in _samples(image):
            mark.update(pixels.tobytes())
            varied = varied or bool((pixels != pixels.flat[0]).any())
    except WorkFailed:
        return None
    return mark.hexdigest() if varied else None


def _samples(image: Image) -> Iterator[npt.NDArray[np.generic]]:
    """Five windows (the middle, and between it and the corners) of three planes."""
    t, _, z, height, width = image.shape
    for plane in sorted({0, t * z // 2, t * z - 1}):
        i, k = divmod(plane, z)
        for y, x in ((2, 2), (1, 1), (1, 3), (3, 1), (3, 3)):
            (top, bottom), (left, right) = _around(height, y), _around(width, x)
            yield image.read(Region((i, k, top, left), (i + 1, k + 1, bottom, right)))


def _around(size: int, quarter: int) -> tuple[int, int]:
    """Pixels around a quarter of an axis."""
    first = max(0, size * quarter // 4 - LOOKED_AT // 2)
    return first, min(size, first + LOOKED_AT)
