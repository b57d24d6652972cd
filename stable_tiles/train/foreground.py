"""Where an image shows something: a coarse mask, made once for a plane and then only looked up."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_otsu

from stable_tiles.image.store import Image
from stable_tiles.region import Region

FINENESS = 4
"""Least number of mask pixels along the side of a patch."""

JUDGED = 16
"""Planes, evenly spread, that the threshold is found on."""


class Foreground:
    """The foreground of one image, by Otsu's threshold on a coarse level.

    Foreground is what is brighter than the threshold (the mean of all
    channels), in colour images what is darker: tissue on white glass.

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
        light = self._light(plane)
        return light < self._threshold if self._image.is_rgb else light > self._threshold

    def _otsu(self) -> float:
        planes = self._image.shape[0] * self._image.shape[2]
        spread = np.unique(np.linspace(0, planes - 1, min(planes, JUDGED)).astype(int))
        light = np.concatenate([self._light(int(plane)).ravel() for plane in spread])
        if light.min() == light.max():
            return float(light[0])
        return float(threshold_otsu(light))  # type: ignore[no-untyped-call]  # scikit-image

    def _light(self, plane: int) -> npt.NDArray[Any]:
        t, z = divmod(plane, self._image.shape[2])
        height, width = self._image.levels[self._level].shape[-2:]
        pixels = self._image.read(Region((t, z, 0, 0), (t + 1, z + 1, height, width)), self._level)
        mean: npt.NDArray[Any] = np.nan_to_num(pixels[0, :, 0].mean(axis=0, dtype=np.float32))
        return mean
