"""Regions of interest: found or given, collected part by part, and matched between two images.

A plane is read in parts with a margin, and a thing belongs to the part that
holds its centroid, so memory is bounded by a part and by the number of things.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from skimage.measure import regionprops

from stable_tiles.evaluate.parts import parts, read_plane
from stable_tiles.image.store import Image
from stable_tiles.region import Region

Labels = npt.NDArray[np.integer]
Numbering = Callable[[Region], Labels]
"""Numbers the things in a region (t, z, y, x) of a single plane; 0 is background."""


@dataclass(frozen=True)
class Roi:
    """One thing in one plane.

    Parameters
    ----------
    plane : (int, int)
        Its t and z.
    region : Region
        Bounding box (y, x) in the plane.
    mask : ndarray of bool, (y, x)
        Its pixels in that box.
    centroid : (float, float)
        (y, x) in pixels of the plane.
    intensity : float
        Mean of the image's pixels inside, in the image's units.
    """

    plane: tuple[int, int]
    region: Region
    mask: npt.NDArray[np.bool_]
    centroid: tuple[float, float]
    intensity: float


@dataclass(frozen=True)
class Matches:
    """For every reference ROI, the found ROI of its plane with the nearest centroid.

    Parameters
    ----------
    distance : tuple of float
        Between the centroids, pixels; NaN where the plane has no found ROI.
    iou : tuple of float
        Intersection over union of the masks, 0..1; 0 where nothing was found.
    intensities : tuple of (float, float)
        Mean inside the reference ROI and inside the found one, of their own
        images; pairs that were found only.
    """

    distance: tuple[float, ...]
    iou: tuple[float, ...]
    intensities: tuple[tuple[float, float], ...]


def collect(image: Image, channel: int, number: Numbering, margin: int) -> list[Roi]:
    """All ROIs of an image, plane by plane.

    Parameters
    ----------
    image : Image
        Whose intensities are measured.
    channel : int
    number : callable
        Numbers the things in a region.
    margin : int
        Pixels around a part that are looked at as well: at least the largest
        thing's diameter.
    """
    found = []
    for core, wide in parts(image, margin):
        labels = number(wide)
        pixels = read_plane(image, wide, channel)
        inside = core.relative_to(wide.start)
        things = regionprops(labels, pixels)  # type: ignore[no-untyped-call]  # scikit-image
        for properties in things:
            y, x = properties.centroid
            starts, stops = inside.start[2:], inside.stop[2:]
            # the centroid of a pixel is its index: half a pixel before it the part begins
            if all(a - 0.5 <= p < b - 0.5 for a, p, b in zip(starts, (y, x), stops, strict=True)):
                found.append(_roi(properties, wide))
    return found


def given(labels: Image) -> Numbering:
    """Numbers from a label image."""
    return lambda region: labels.read(region)[0, 0, 0].astype(np.int64)


def match(reference: Sequence[Roi], found: Sequence[Roi]) -> Matches:
    """Match every reference ROI with the found ROI whose centroid is nearest."""
    by_plane = {plane: list(rois) for plane, rois in groupby(sorted(found, key=_plane), key=_plane)}
    trees = {plane: cKDTree([r.centroid for r in rois]) for plane, rois in by_plane.items()}
    distances, overlaps, pairs = [], [], []
    for roi in reference:
        if roi.plane not in trees:
            distances.append(float("nan"))
            overlaps.append(0.0)
            continue
        distance, index = trees[roi.plane].query(roi.centroid)
        other = by_plane[roi.plane][index]
        distances.append(float(distance))
        overlaps.append(overlap(roi, other))
        pairs.append((roi.intensity, other.intensity))
    return Matches(tuple(distances), tuple(overlaps), tuple(pairs))


def overlap(a: Roi, b: Roi) -> float:
    """Intersection over union of two ROIs' masks, 0..1."""
    shared = a.region.intersect(b.region)
    if shared is None:
        return 0.0
    views = [roi.mask[shared.relative_to(roi.region.start).slices] for roi in (a, b)]
    both = int(np.count_nonzero(views[0] & views[1]))
    return both / (int(a.mask.sum()) + int(b.mask.sum()) - both)


def _plane(roi: Roi) -> tuple[int, int]:
    return roi.plane


def _roi(properties: Any, wide: Region) -> Roi:
    """What scikit-image says of one thing, in pixels of the plane."""
    top, left, bottom, right = properties.bbox
    y0, x0 = wide.start[2:]
    y, x = properties.centroid
    return Roi(
        plane=(wide.start[0], wide.start[1]),
        region=Region((top + y0, left + x0), (bottom + y0, right + x0)),
        mask=properties.image.copy(),
        centroid=(float(y + y0), float(x + x0)),
        intensity=float(properties.intensity_mean),
    )
