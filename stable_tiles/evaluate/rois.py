"""Regions of interest: found or given, collected part by part, and matched between two images.

A plane is read in parts with a margin, and a thing belongs to the part that
holds its centroid, so memory is bounded by a part and by the number of things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from skimage.measure import regionprops

from stable_tiles.evaluate.parts import Span, read_plane
from stable_tiles.image.store import Image
from stable_tiles.region import Region

AGREE = 0.5
"""Intersection over union above which two ROIs count as the same thing."""

Labels = npt.NDArray[np.integer]
Numbering = Callable[[Region], Labels]
"""Numbers the things in a region (t, z, y, x) of a single plane; 0 is background."""


@dataclass(frozen=True)
class Roi:
    """One thing in one plane.

    Parameters
    ----------
    plane : (int, int)
        Its t and z; t is 0 for a thing found in the mean of all frames.
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
    nearest : tuple of int or None
        Position of that ROI among the found ones; None where the plane has none.
    distance : tuple of float
        Between the centroids, pixels; NaN where the plane has no found ROI.
    iou : tuple of float
        Intersection over union of the masks, 0..1; 0 where nothing was found.
    intensities : tuple of (float, float)
        Mean inside the reference ROI and inside the found one, of their own
        images; pairs that were found only.
    """

    nearest: tuple[int | None, ...]
    distance: tuple[float, ...]
    iou: tuple[float, ...]
    intensities: tuple[tuple[float, float], ...]


def collect(image: Image, channel: int, number: Numbering, spans: Iterable[Span]) -> list[Roi]:
    """All ROIs of an image, part by part.

    Parameters
    ----------
    image : Image
        Whose intensities are measured.
    channel : int
    number : callable
        Numbers the things in a region.
    spans : iterable of (Region, Region)
        The parts, and what is looked at around each: at least the largest
        thing's diameter more on every side.
    """
    found = []
    for core, wide in spans:
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
    """Numbers from a label image; one of a single frame holds for all frames."""

    def number(region: Region) -> Labels:
        first = region.start[0] if labels.shape[0] > 1 else 0
        frame = Region((first, *region.start[1:]), (first + 1, *region.stop[1:]))
        numbers: Labels = labels.read(frame)[0, 0, 0].astype(np.int64)
        return numbers

    return number


def match(reference: Sequence[Roi], found: Sequence[Roi]) -> Matches:
    """Match every reference ROI with the found ROI whose centroid is nearest."""
    by_plane = _by_plane(found)
    trees = {plane: cKDTree([found[i].centroid for i in by_plane[plane]]) for plane in by_plane}
    nearest: list[int | None] = []
    distances, overlaps, pairs = [], [], []
    for roi in reference:
        if roi.plane not in trees:
            nearest.append(None)
            distances.append(float("nan"))
            overlaps.append(0.0)
            continue
        distance, position = trees[roi.plane].query(roi.centroid)
        index = by_plane[roi.plane][position]
        nearest.append(index)
        distances.append(float(distance))
        overlaps.append(overlap(roi, found[index]))
        pairs.append((roi.intensity, found[index].intensity))
    return Matches(tuple(nearest), tuple(distances), tuple(overlaps), tuple(pairs))


def agreeing(reference: Sequence[Roi], found: Sequence[Roi]) -> int:
    """How many reference ROIs have a found ROI with an IoU above 0.5.

    Of two ROIs that do not overlap each other only one can, so no found ROI is
    counted twice.
    """
    by_plane = _by_plane(found)
    trees = {plane: cKDTree([found[i].centroid for i in by_plane[plane]]) for plane in by_plane}
    widest = max((hypot(*roi.region.shape) for roi in found), default=0.0)
    count = 0
    for roi in reference:
        if roi.plane in trees:
            radius = hypot(*roi.region.shape) + widest
            near = trees[roi.plane].query_ball_point(roi.centroid, radius)
            count += any(overlap(roi, found[by_plane[roi.plane][i]]) > AGREE for i in near)
    return count


def _by_plane(rois: Sequence[Roi]) -> dict[tuple[int, int], list[int]]:
    """Positions of the ROIs of each plane."""
    positions: dict[tuple[int, int], list[int]] = {}
    for index, roi in enumerate(rois):
        positions.setdefault(roi.plane, []).append(index)
    return positions


def overlap(a: Roi, b: Roi) -> float:
    """Intersection over union of two ROIs' masks, 0..1."""
    shared = a.region.intersect(b.region)
    if shared is None:
        return 0.0
    views = [roi.mask[shared.relative_to(roi.region.start).slices] for roi in (a, b)]
    both = int(np.count_nonzero(views[0] & views[1]))
    return both / (int(a.mask.sum()) + int(b.mask.sum()) - both)


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
