"""Find bright, roundish things (cells, nuclei) in a plane: the classical way.

Smoothing, one seed for every local maximum, a watershed between the seeds,
basins that no dip parts put together, and of each basin what is brighter than
half way from its darkest to its brightest pixel.  Each thing is thresholded by
its own brightness, so dim cells are as large as bright ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

FINE, COARSE = 0.1, 0.15
"""Standard deviations of the smoothing for outlines and for seeds, in diameters."""

APART = 1 / 3
"""Least distance of two seeds, in diameters."""

SHALLOW, ONE = 0.1, 0.8
"""Basins are of one thing where the dip between their maxima is shallower than this share of the
lower one's height, and the maxima nearer than so many diameters."""

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
    dark : float
        Brightness of the background.
    """

    diameter: float
    faintest: float
    dark: float

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
            return cls(diameter, float("inf"), dark)
        otsu = float(threshold_otsu(smooth))  # type: ignore[no-untyped-call]  # scikit-image
        return cls(diameter, dark + FAINT * (otsu - dark), dark)

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
        if not around.any():
            return around
        around = merge_shallow(coarse, around, self.dark, self.diameter)
        numbers = np.arange(1, around.max() + 1)
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


def merge_shallow(smooth: Plane, around: Labels, dark: float, diameter: float) -> Labels:
    """Basins whose maxima lie in one thing, put together.

    Parameters
    ----------
    smooth : array of float32, (y, x)
    around : array of int32, (y, x)
        Basins 1..n, which together are the plane.
    dark : float
        What heights are counted from.
    diameter : float
        Of the things, pixels.

    Returns
    -------
    array of int32, (y, x)
        Basins 1..m.
    """
    count = int(around.max())
    numbers = np.arange(1, count + 1)
    heights = np.asarray(ndimage.maximum(smooth, around, numbers))
    peaks = np.asarray(ndimage.maximum_position(smooth, around, numbers), np.float64)
    first, second, saddle = _saddles(smooth, around)
    lower = np.minimum(heights[first], heights[second])
    near = np.hypot(*(peaks[first] - peaks[second]).T) < ONE * diameter
    joined = near & (lower - saddle < SHALLOW * (lower - dark))
    links = coo_array(
        (np.ones(int(joined.sum())), (first[joined], second[joined])), shape=(count, count)
    )
    _, together = connected_components(links, directed=False)
    merged: Labels = (together + 1).astype(np.int32)[around - 1]
    return merged


def _saddles(
    smooth: Plane, around: Labels
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Plane]:
    """Pairs of neighbouring basins, counted from 0, and the highest way from one to the other."""
    keys, ways = [], []
    count = int(around.max())
    for here, there in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        border = around[here] != around[there]
        pair = np.stack((around[here][border], around[there][border])).astype(np.int64) - 1
        keys.append(pair.min(axis=0) * count + pair.max(axis=0))
        ways.append(np.minimum(smooth[here][border], smooth[there][border]))
    pairs, which = np.unique(np.concatenate(keys), return_inverse=True)
    highest = np.full(len(pairs), -np.inf, np.float32)
    np.maximum.at(highest, which, np.concatenate(ways))
    return pairs // max(1, count), pairs % max(1, count), highest


def drop_small(labels: npt.NDArray[np.integer], diameter: float) -> Labels:
    """The labels without things smaller than a tenth of a disc of that diameter."""
    areas = np.bincount(labels.ravel())
    too_small = areas < SMALLEST * np.pi / 4 * diameter**2
    kept: Labels = np.where(too_small[labels], 0, labels).astype(np.int32)
    return kept
