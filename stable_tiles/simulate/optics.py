"""What lies between a specimen and its pixels: blur, photons, camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Plane = npt.NDArray[np.float32]

_TRUNCATE = 3.0
"""Gaussians are cut at this many standard deviations."""


@dataclass(frozen=True)
class Blur:
    """A point spread function: a sharp Gaussian plus a wide one for light out of focus.

    Parameters
    ----------
    sharp, wide : float
        Standard deviations, pixels.
    haze : float
        Share of the light in the wide one, 0..1.
    """

    sharp: float
    wide: float = 0.0
    haze: float = 0.0

    @property
    def reach(self) -> int:
        """Pixels that a point's light travels at most."""
        return int(_TRUNCATE * max(self.sharp, self.wide) + 0.5)

    def __call__(self, plane: Plane) -> Plane:
        """The blurred float32 plane (y, x); its outer `reach` pixels are not to be used."""
        focused = gaussian_filter(plane, self.sharp, truncate=_TRUNCATE)
        if not self.haze:
            return np.asarray(focused, np.float32)
        wide = gaussian_filter(plane, self.wide, truncate=_TRUNCATE)
        return np.asarray((1 - self.haze) * focused + self.haze * wide, np.float32)


@dataclass(frozen=True)
class Camera:
    """Counts of a detector: ``gain * Poisson(photons) + offset + Gaussian read noise``.

    Its variance is ``gain * (mean - offset) + read_noise ** 2`` (the photon
    transfer curve; Janesick 2007, doi:10.1117/3.725073).

    Parameters
    ----------
    photons : float
        Photons of a specimen of brightness 1 in one pixel.
    gain : float
        Counts a photon.
    offset : float
        Counts in the dark.
    read_noise : float
        Standard deviation, counts.
    dtype : str
        Integer type of the counts, which are rounded and clipped to its range.
    """

    photons: float
    gain: float
    offset: float
    read_noise: float
    dtype: str

    def expected(self, brightness: Plane) -> Plane:
        """Mean counts, float32, of a specimen's brightness (any shape, at least 0)."""
        return np.asarray(self.gain * self.photons * brightness + self.offset, np.float32)

    def expose(self, brightness: Plane, rng: np.random.Generator) -> npt.NDArray[np.integer]:
        """Counts of one exposure: integers of `dtype`, in the shape of `brightness`."""
        photons = rng.poisson(np.maximum(brightness, 0) * self.photons)
        counts = self.gain * photons + self.offset
        counts += self.read_noise * rng.standard_normal(brightness.shape)
        limits = np.iinfo(self.dtype)
        counts = np.clip(np.rint(counts), limits.min, limits.max)
        return np.asarray(counts, self.dtype)
