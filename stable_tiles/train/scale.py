"""Scale: at which level, and how wide, a patch of a wanted pixel size is read, and its resampling.

A patch covers the same physical extent in every image and every domain: its
extent in an image's own pixels is exact, a fraction included, and may differ
along y and x.  The window that is read is the next whole number of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
import numpy.typing as npt
import scipy.sparse

from stable_tiles.errors import InputError
from stable_tiles.image.store import Image
from stable_tiles.settings import DataSettings

Pair = tuple[float, float]
Planes = npt.NDArray[np.float32]

MICROMETRES = {
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
}

NEARLY = 1.01
"""A level whose pixels are coarser than wanted by no more than this factor is fine enough."""

_WHOLE = 1e-3


@dataclass(frozen=True)
class Sampling:
    """How the patches of one image are read.

    Parameters
    ----------
    level : int
        The level that they are read from.
    factor : (float, float)
        Height and width of a pixel of that level, in pixels of level 0.
    extent : (float, float)
        Height and width of a patch, in pixels of that level; a fraction matters.
    """

    level: int
    factor: Pair
    extent: Pair

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of what is read for a patch, in whole pixels of the level."""
        return ceil(self.extent[0]), ceil(self.extent[1])


def pixel_sizes_um(image: Image) -> Pair | None:
    """Height and width of the image's pixels in micrometres, or None where unknown."""
    units, scale = image.axes.units, image.axes.scale
    y, x = (MICROMETRES.get(str(units[n]), 0.0) * scale[n] for n in "yx")
    return (y, x) if y and x else None


def pixel_size_um(image: Image) -> float | None:
    """The image's pixel size in micrometres (the mean of y and x), or None where unknown."""
    sizes = pixel_sizes_um(image)
    return sum(sizes) / 2 if sizes else None


def level_factor(image: Image, level: int) -> Pair:
    """Height and width of a level's pixels, in pixels of level 0.

    What the metadata say, where the level's shape bears it out; else what the shape says.
    """
    y, x = (_factor(image, level, axis) for axis in (-2, -1))
    return y, x


def choose_sampling(image: Image, data: DataSettings) -> Sampling:
    """The coarsest level that is still fine enough for the wanted pixel size, and the extent there.

    Raises
    ------
    InputError
        If the settings want a pixel size and the image has none.
    """
    if data.pixel_size_um is None:
        return Sampling(0, (1.0, 1.0), (float(data.patch), float(data.patch)))
    own = pixel_sizes_um(image)
    if own is None:
        raise InputError(
            f"{image.name} has no pixel size in micrometres, which data.pixel_size_um needs: "
            "convert it with --pixel-size, or set data.pixel_size_um=null"
        )
    ratios = [data.pixel_size_um / size for size in own]
    factors = [level_factor(image, k) for k in range(len(image.levels))]
    fine = [
        k
        for k, pair in enumerate(factors)
        if all(f <= ratio * NEARLY for f, ratio in zip(pair, ratios, strict=True))
    ]
    level = max(fine, default=0)
    y, x = (_whole(data.patch * r / f) for r, f in zip(ratios, factors[level], strict=True))
    return Sampling(level, factors[level], (y, x))


def resample(pixels: Planes, extent: Pair, side: int) -> Planes:
    """The part ``0 <= (y, x) < extent`` of some planes, as squares of `side` pixels.

    Linear interpolation; where pixels become larger they are averaged over
    the triangle of their own width (antialiased).  Nothing outside `pixels`
    is made up: weights are normalised at the borders.

    Parameters
    ----------
    pixels : ndarray of float32, shape (c, y, x)
        At least as large as `extent`.
    extent : (float, float)
        Height and width of the part, in pixels.
    side : int
        Height and width of the result.

    Returns
    -------
    ndarray of float32, shape (c, side, side)
    """
    if pixels.shape[-2:] == extent == (side, side):
        return pixels
    rows, columns = (
        _weights(n, length, side) for n, length in zip(pixels.shape[-2:], extent, strict=True)
    )
    made = np.empty((len(pixels), side, side), np.float32)
    for plane, target in zip(pixels, made, strict=True):
        target[...] = (columns @ np.ascontiguousarray((rows @ plane).T)).T
    return made


@lru_cache(maxsize=64)
def _weights(count: int, length: float, side: int) -> scipy.sparse.csr_array:
    """The share of each of `count` pixels in each of `side`: (side, count), rows sum to 1."""
    ratio = length / side
    centres = (np.arange(side) + 0.5) * ratio
    distances = np.abs(np.arange(count) + 0.5 - centres[:, None]) / max(1.0, ratio)
    shares = np.clip(1 - distances, 0, None)
    shares /= shares.sum(axis=1, keepdims=True)
    return scipy.sparse.csr_array(shares.astype(np.float32))


def _factor(image: Image, level: int, axis: int) -> float:
    scales = image.multiscale.scales
    stated = scales[level][axis] / scales[0][axis] if scales[0][axis] > 0 else 0.0
    full, size = image.shape[axis], image.levels[level].shape[axis]
    if stated > 0 and abs(stated * size - full) <= 2 * stated:
        return stated
    return full / size


def _whole(length: float) -> float:
    """The length, at least a pixel; a whole number where it is one but for rounding."""
    length = max(1.0, length)
    return float(round(length)) if abs(length - round(length)) < _WHOLE else length
