"""Views of images as pictures for people: parts at any level, contrast, overlays, outlines.

Pictures are uint8 arrays (y, x, 3); nothing here knows of files or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from skimage.segmentation import find_boundaries

from stable_tiles.evaluate.rois import Roi
from stable_tiles.image.store import Image
from stable_tiles.region import Region

OVERVIEW_PIXELS = 1024
"""Largest side of a plane shown whole; a coarser level is read for larger ones."""

FRAMES = 16
"""Frames, evenly spread, whose mean is shown of a movie."""

INPUT_COLOR, OUTPUT_COLOR = (0, 255, 255), (255, 80, 80)

Grey = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]


def overview_level(image: Image) -> int:
    """The finest level whose planes are small enough to be shown whole."""
    levels = enumerate(image.levels)
    return next(
        (k for k, v in levels if max(v.shape[3:]) <= OVERVIEW_PIXELS), len(image.levels) - 1
    )


def view(
    image: Image, frames: Sequence[int], z: int, region: Region | None = None
) -> npt.NDArray[Any]:
    """The mean of some frames of a plane.

    Parameters
    ----------
    image : Image
    frames : sequence of int
    z : int
    region : Region, optional
        Over (y, x) in pixels of level 0; the whole plane at `overview_level`
        by default.

    Returns
    -------
    array of float64, (c, y, x)
    """
    level = 0 if region else overview_level(image)
    box = region or Region.whole(image.levels[level].shape[3:])
    planes = [
        image.read(Region((t, z, *box.start), (t + 1, z + 1, *box.stop)), level)[0, :, 0]
        for t in frames
    ]
    mean: npt.NDArray[np.float64] = np.asarray(np.mean(planes, axis=0, dtype=np.float64))
    return mean


def spread(count: int, most: int = FRAMES) -> list[int]:
    """Up to `most` of `count` frames, evenly spread."""
    return [int(t) for t in np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))]


def contrast(plane: npt.NDArray[Any]) -> Grey:
    """A plane as 0..1 between its 0.1 and 99.9 percentiles; NaN as 0."""
    known = plane[np.isfinite(plane)]
    if not known.size:
        return np.zeros(plane.shape)
    low, high = np.percentile(known, (0.1, 99.9))
    scaled: Grey = np.clip((np.nan_to_num(plane) - low) / max(high - low, 1e-12), 0, 1)
    return scaled


def grey(plane: npt.NDArray[Any]) -> Picture:
    """A plane (c, y, x) as a picture: colours where it has three channels, else its first."""
    scaled = contrast(plane)
    channels = scaled if len(scaled) == 3 else np.repeat(scaled[:1], 3, axis=0)
    return _picture(np.moveaxis(channels, 0, -1))


def overlay(cyan: npt.NDArray[Any], red: npt.NDArray[Any]) -> Picture:
    """Two planes (y, x) in one picture, the first in cyan, the second in red."""
    first, second = contrast(cyan), contrast(red)
    return _picture(np.stack((second, first, first), axis=-1))


def magnify(picture: Picture, side: int) -> Picture:
    """The picture with whole pixels repeated until it is at least about `side` wide."""
    times = max(1, round(side / max(picture.shape[:2])))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def outline(
    picture: Picture, region: Region, rois: Sequence[Roi], color: tuple[int, int, int]
) -> Picture:
    """The picture of a region (y, x), magnified or not, with the borders of ROIs drawn on it."""
    numbers = np.zeros(region.shape, np.int32)
    for number, roi in enumerate(rois, 1):
        shared = roi.region.intersect(region)
        if shared is not None:
            inside = numbers[shared.relative_to(region.start).slices]
            inside[roi.mask[shared.relative_to(roi.region.start).slices]] = number
    times = picture.shape[0] // region.shape[0]
    large = numbers.repeat(times, axis=0).repeat(times, axis=1)
    drawn = picture.copy()
    edges = find_boundaries(large, mode="thick")  # type: ignore[no-untyped-call]  # scikit-image
    drawn[edges] = color
    return drawn


def frame(picture: Picture, region: Region, scale: float, color: tuple[int, int, int]) -> Picture:
    """The picture with the border of a region drawn, `scale` picture pixels a pixel."""
    drawn = picture.copy()
    (y0, x0), (y1, x1) = (
        [round(v * scale) for v in corner] for corner in (region.start, region.stop)
    )
    thick = max(1, round(max(picture.shape[:2]) / 300))
    drawn[y0:y1, x0 : x0 + thick] = drawn[y0:y1, max(x0, x1 - thick) : x1] = color
    drawn[y0 : y0 + thick, x0:x1] = drawn[max(y0, y1 - thick) : y1, x0:x1] = color
    return drawn


def beside(pictures: Sequence[Picture]) -> Picture:
    """Pictures of one height in a row, a white gap between them."""
    gap = np.full((pictures[0].shape[0], 4, 3), 255, np.uint8)
    row = [part for picture in pictures for part in (gap, picture)][1:]
    return np.concatenate(row, axis=1)


def png(picture: Picture) -> bytes:
    """The picture as a PNG file."""
    return bytes(imagecodecs.png_encode(picture))


def _picture(scaled: Grey) -> Picture:
    return np.round(scaled * 255).astype(np.uint8)
