"""Pictures of one scene for the report: what each method made of the same part of it."""

from __future__ import annotations

import numpy as np

from stable_tiles.evaluate.cells import Comparison, RoiOptions, sides
from stable_tiles.evaluate.plots import traces
from stable_tiles.evaluate.traces import relative
from stable_tiles.evaluate.views import (
    INPUT_COLOR,
    OUTPUT_COLOR,
    Picture,
    beside,
    grey,
    magnify,
    outline,
    overlay,
    png,
    spread,
    view,
)
from stable_tiles.image.store import Image
from stable_tiles.region import Region

SIDE = 128
"""Of the part that is shown, pixels."""

SHOWN = 384
"""Of its picture, about."""


def middle(image: Image) -> Region:
    """The part (y, x) that is shown: the centre."""
    box = [(max(0, (n - SIDE) // 2), min(SIDE, n)) for n in image.shape[3:]]
    return Region(tuple(start for start, _ in box), tuple(start + size for start, size in box))


def plain(image: Image) -> Picture:
    """The centre of an image: the mean of some frames of its middle section."""
    return magnify(grey(_plane(image)), SHOWN)


def matched(source: Image, comparison: Comparison) -> bytes:
    """A PNG: input in cyan with the translation in red; beside it the outlines of cells."""
    translated, region = comparison.images[1], middle(source)
    both = overlay(_plane(source)[0], _plane(translated)[0])
    drawn = magnify(grey(_plane(translated)), SHOWN)
    for rois, color in zip(comparison.rois, (INPUT_COLOR, OUTPUT_COLOR), strict=True):
        shown = [roi for roi in rois if roi.plane[1] == source.shape[2] // 2]
        drawn = outline(drawn, region, shown, color)
    return png(beside([magnify(both, SHOWN), drawn]))


def followed(comparison: Comparison, options: RoiOptions) -> bytes | None:
    """A PNG: dF/F0 of the cell nearest the centre, and of its match; None where there is none."""
    reference = comparison.rois[0]
    if comparison.images[0].shape[0] < 2 or not reference:
        return None
    centre = np.array(comparison.images[0].shape[3:]) / 2
    away = [float(np.hypot(*(np.array(roi.centroid) - centre))) for roi in reference]
    chosen = sides(comparison, options, [int(np.argmin(away))])
    if not chosen[0].rois:
        return None
    first, second = (
        np.array(list(relative(side.frames(), options.baseline_window)))[:, 0] for side in chosen
    )
    return traces(first, second, None)


def _plane(image: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return view(image, spread(image.shape[0]), image.shape[2] // 2, middle(image))
