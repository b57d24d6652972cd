"""Where an image shows something: a coarse mask, made once for a plane and then only looked up."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_otsu

from stable_tiles.image.store import Image
from stable_tiles.region import Region

Pixels = npt.NDArray[Any]
Weights = npt.NDArray[np.float32]

FINENESS = 4
"""Least number of mask pixels along the side of a patch."""

GREY = 0.05
"""Saturation (0..1) up to which a colour image counts as grey."""

JUDGED = 16
"""Planes, evenly spread, that the threshold is found on."""


class Foreground:
    """The foreground of one image, by Otsu's threshold on a coarse level.

    Foreground is what is brighter than the threshold (the mean of all
    channels); in colour images what is more saturated (HSV): stained tissue
    on white glass, without shadows and black margins.  Where a colour image
    has no colours (no pixel is saturated by more than `GREY`), what is darker.

    Parameters
    ----------
    image : Image
    level : int
        The level that positions are counted in.
    side : int
        Side of a patch in pixels of that level.
    """

    def __init__(self, image: Image, level: int, side: int) -> None:
        self._image = image
        heights = [coarse.shape[-2] for coarse in image.levels]
        fitting = [k for k in range(level, len(heights)) if heights[level] / heights[k] <= side]
        wanted = [k for k in fitting if FINENESS * heights[level] / heights[k] <= side]
        self._level = max(wanted, default=level)
        base, coarse = image.levels[level].shape, image.levels[self._level].shape
        self._shrink = tuple(b / c for b, c in zip(base[-2:], coarse[-2:], strict=True))
        self._mask = lru_cache(maxsize=None)(self._find)
        self._judged = self._spread_planes()
        self._weigh = self._choose()
        self._threshold = self._otsu()

    def at(self, plane: int, y: float, x: float) -> bool:
        """Whether the position (pixels of the level given) of a plane is foreground."""
        mask = self._mask(plane)
        row, column = (
            min(int(p / shrink), size - 1)
            for p, shrink, size in zip((y, x), self._shrink, mask.shape, strict=True)
        )
        return bool(mask[row, column])

    def _find(self, plane: int) -> npt.NDArray[np.bool_]:
        return self._weigh(self._pixels(plane)) > self._threshold

    def _spread_planes(self) -> list[int]:
        planes = self._image.shape[0] * self._image.shape[2]
        spread = np.unique(np.linspace(0, planes - 1, min(planes, JUDGED)).astype(int))
        return [int(plane) for plane in spread]

    def _choose(self) -> Callable[[Pixels], Weights]:
        """What tells foreground in this image, by planes spread over it."""
        if not self._image.is_rgb:
            return brightness
        colours = any(saturation(self._pixels(plane)).max() > GREY for plane in self._judged)
        return saturation if colours else darkness

    def _otsu(self) -> float:
        weights = np.concatenate([self._weigh(self._pixels(n)).ravel() for n in self._judged])
        if weights.min() == weights.max():
            return float(weights[0])
        return float(threshold_otsu(weights))  # type: ignore[no-untyped-call]  # scikit-image

    def _pixels(self, plane: int) -> Pixels:
        t, z = divmod(plane, self._image.shape[2])
        height, width = self._image.levels[self._level].shape[-2:]
        region = Region((t, z, 0, 0), (t + 1, z + 1, height, width))
        return self._image.read(region, self._level)[0, :, 0]


def brightness(pixels: Pixels) -> Weights:
    """Mean of all channels, (c, y, x) to (y, x); NaN counts as 0."""
    mean: Weights = np.nan_to_num(pixels.mean(axis=0, dtype=np.float32))
    return mean


def darkness(pixels: Pixels) -> Weights:
    """Minus the brightness."""
    return -brightness(pixels)


def saturation(pixels: Pixels) -> Weights:
    """Saturation of red, green and blue as in HSV, (3, y, x) to (y, x) in 0..1; black has none."""
    highest = pixels.max(axis=0).astype(np.float32)
    spread = highest - pixels.min(axis=0)
    ratio: Weights = spread / np.maximum(highest, 1)
    return ratio
