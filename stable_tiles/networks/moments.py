"""Moments: counts, means and variances of maps, merged and joined without loss.

Plain arrays in float64; nobody here knows which layer they are of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]

STRIP = 1 << 18
"""Values of a map that are summed, or normalised by interpolation, at a time."""


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of every channel of images, (n, c) each.

    Values that are not finite do not count.
    """

    pixels: Doubles
    mean: Doubles
    squares: Doubles

    @classmethod
    def of(cls, x: Tensor) -> Moments:
        """The moments of maps (n, c, h, w), in float64.

        Sums run in one order whatever the number of threads.
        """
        maps = x.detach().float().permute(0, 2, 3, 1).cpu().numpy()
        n, height, width, channels = maps.shape
        empty = np.zeros((n, channels))
        total, rows = cls(empty, empty, empty), max(1, STRIP // (width * channels))
        for top in range(0, height, rows):
            strip = maps[:, top : top + rows].reshape(n, -1, channels).astype(np.float64)
            total = total.merge(_strip_moments(strip))
        return total

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of pixels together.

        Chan, Golub & LeVeque, Algorithms for computing the sample variance, 1983.
        """
        pixels = self.pixels + other.pixels
        share = np.divide(other.pixels, pixels, out=np.zeros_like(pixels), where=pixels > 0)
        apart = other.mean - self.mean
        squares = self.squares + other.squares + apart**2 * self.pixels * share
        return Moments(pixels, self.mean + apart * share, squares)

    @property
    def variance(self) -> Doubles:
        """The variance (n, c), divided by the count; 0 without pixels."""
        return self.squares / np.maximum(self.pixels, 1)


def _strip_moments(strip: Doubles) -> Moments:
    """The moments of values (n, pixels, c)."""
    count = np.full((strip.shape[0], strip.shape[2]), float(strip.shape[1]))
    total = strip.sum(axis=1)
    if np.isfinite(total).all():
        mean = total / count
        return Moments(count, mean, np.square(strip - mean[:, None]).sum(axis=1))
    finite = np.isfinite(strip)
    count = finite.sum(axis=1).astype(np.float64)
    mean = np.where(finite, strip, 0).sum(axis=1) / np.maximum(count, 1)
    deviations = np.where(finite, strip - mean[:, None], 0)
    return Moments(count, mean, np.square(deviations).sum(axis=1))


@dataclass(frozen=True)
class Table:
    """Mean and variance of one norm layer in every cell of a grid over planes.

    Parameters
    ----------
    mean, variance : array, (n, rows, columns, c)
        For `n` planes; one row and one column where the whole plane is one cell.
    """

    mean: Floats
    variance: Floats


def joined(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Statistics (..., c) of channels of equal size as those of all of them together.

    Every channel gets the same mean, and the same variance: the mean of the
    channels' own plus the variance of their means.
    """
    whole = mean.mean(axis=-1, keepdims=True)
    spread = (variance + np.square(mean - whole)).mean(axis=-1, keepdims=True)
    return np.broadcast_to(whole, mean.shape).copy(), np.broadcast_to(spread, mean.shape).copy()
