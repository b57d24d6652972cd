"""Find bright, roundish things (cells, nuclei) in a plane: the classical way.

Smoothing, one seed for every local maximum, a watershed between the seeds,
and of each basin what is brighter than half way from its darkest to its
brightest pixel.  Each thing is thresholded by its own brightness, so dim cells
are as large as bright ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

FINE, COARSE = 0.1, 0.15
"""Standard deviations of the smoothing for outlines and for seeds, in diameters."""

APART = 1 / 3
"""Least distance of two seeds, in diameters."""

SMALLEST = 0.1
"""Area of the smallest thing kept, in discs of the diameter."""

HALF = 0.5
"""Share of the way from a basin's darkest to its brightest pixel where things end."""

FAINT = 0.25
"""Share of the way from the background to Otsu's threshold that a seed must reach."""

MARGIN = 4
"""How far what is found depends on what is around it, in diameters."""

Plane = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Classical:
    """Segmentation by seeds, watershed and half maximum.

    Parameters
    ----------
    diameter : float
        Typical diameter of the things to find, pixels.
    faintest : float
        Brightness that a seed must reach, in the image's units.
    """

    diameter: float
    faintest: float

    @property
    def margin(self) -> int:
        """Pixels around a part of a plane that its things depend on."""
        return int(np.ceil(MARGIN * self.diameter))

    @classmethod
    def fit(cls, diameter: float, samples: list[Plane]) -> Classical:
        """The segmentation for an image, judged by some of its planes or parts of them.

        A seed must be brighter than a quarter of the way from the background
        (the 10th percentile) to Otsu's threshold of the smoothed samples: dim
        things count too.
        """
        smooth = np.concatenate(
            [ndimage.gaussian_filter(sample, COARSE * diameter).ravel() for sample in samples]
        )
        dark = float(np.percentile(smooth, 10))
        if smooth.min() == smooth.max():
            return cls(diameter, float("inf"))
        otsu = float(threshold_otsu(smooth))  # type: ignore[no-untyped-call]  # scikit-image
        return cls(diameter, dark + FAINT * (otsu - dark))

    def __call__(self, plane: Plane) -> Labels:
        """Number the things in a plane.

        Parameters
        ----------
        plane : ndarray of float32, (y, x)

        Returns
        -------
        ndarray of int32, (y, x)
            0 is background.
        """
        fine = ndimage.gaussian_filter(plane, FINE * self.diameter)
        coarse = ndimage.gaussian_filter(plane, COARSE * self.diameter)
        around = basins(coarse, self.diameter, self.faintest)
        numbers = np.arange(1, around.max(initial=0) + 1)
        if not len(numbers):
            return around
        brightest = ndimage.maximum(fine, around, numbers)
        darkest = ndimage.minimum(fine, around, numbers)
        cut = np.concatenate([[np.inf], darkest + HALF * (brightest - darkest)])
        return drop_small(np.where(fine > cut[around], around, 0), self.diameter)


def basins(smooth: Plane, diameter: float, faintest: float) -> Labels:
    """One basin around every local maximum, which together are the plane.

    Parameters
    ----------
    smooth : array of float32, (y, x)
    diameter : float
        Of the things, pixels: maxima nearer than a third of it are one.
    faintest : float
        What a maximum must reach.

    Returns
    -------
    array of int32, (y, x)
        0 everywhere where there is no maximum.
    """
    peaks: npt.NDArray[Any] = peak_local_max(
        smooth,
        min_distance=max(1, int(APART * diameter)),
        threshold_abs=faintest,
        exclude_border=False,
    )  # type: ignore[no-untyped-call]  # scikit-image
    seeds = np.zeros(smooth.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    if not len(peaks):
        return seeds
    around: Labels = watershed(-smooth, seeds)  # type: ignore[no-untyped-call]  # scikit-image
    return around


def drop_small(labels: npt.NDArray[np.integer], diameter: float) -> Labels:
    """The labels without things smaller than a tenth of a disc of that diameter."""
    areas = np.bincount(labels.ravel())
    too_small = areas < SMALLEST * np.pi / 4 * diameter**2
    kept: Labels = np.where(too_small[labels], 0, labels).astype(np.int32)
    return kept
