"""A picture of several images side by side: a person judges a translation by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from stable_tiles.image.store import Image
from stable_tiles.region import Region

OVERVIEW_PIXELS = 1024
"""Largest side of the plane shown whole; a coarser level is read for larger ones."""


def side_by_side(
    target: Path,
    images: Sequence[Image],
    titles: Sequence[str],
    *,
    plane: tuple[int, int] | None = None,
    zoom: int = 256,
) -> None:
    """Write a PNG: above the whole plane of each image, below its centre at full resolution.

    Every image is shown between its own 0.1 and 99.9 percentiles of what is
    shown, so colours compare shapes, not intensities.

    Parameters
    ----------
    target : Path
        The PNG.
    images : sequence of Image
        Images of one size in y and x.
    titles : sequence of str
        One an image.
    plane : tuple of int, optional
        Which (t, z) to show; the middle one by default.
    zoom : int
        Side of the part shown at full resolution, pixels.
    """
    figure = Figure(figsize=(4 * len(images), 8.6), layout="constrained", dpi=110)
    axes = figure.subplots(2, len(images), squeeze=False)
    for column, (image, title) in enumerate(zip(images, titles, strict=True)):
        t, z = plane or (image.shape[0] // 2, image.shape[2] // 2)
        views = (_overview(image, t, z), _centre(image, t, z, zoom))
        for row, view in enumerate(views):
            axes[row, column].imshow(_displayed(view), cmap="gray", interpolation="nearest")
            axes[row, column].set_axis_off()
        axes[0, column].set_title(title)
    figure.savefig(target)


def _overview(image: Image, t: int, z: int) -> npt.NDArray[Any]:
    level = next(
        (k for k, v in enumerate(image.levels) if max(v.shape[3:]) <= OVERVIEW_PIXELS),
        len(image.levels) - 1,
    )
    y, x = image.levels[level].shape[3:]
    return image.read(Region((t, z, 0, 0), (t + 1, z + 1, y, x)), level)[0, :, 0]


def _centre(image: Image, t: int, z: int, zoom: int) -> npt.NDArray[Any]:
    y, x = image.shape[3:]
    top, left = max(0, (y - zoom) // 2), max(0, (x - zoom) // 2)
    region = Region((t, z, top, left), (t + 1, z + 1, min(y, top + zoom), min(x, left + zoom)))
    return image.read(region)[0, :, 0]


def _displayed(view: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """A plane (c, y, x) as grey (y, x) or RGB (y, x, 3) in 0..1."""
    low, high = np.nanpercentile(view, (0.1, 99.9))
    scaled = np.clip((view.astype(np.float64) - low) / max(high - low, 1e-12), 0, 1)
    if len(scaled) == 3:
        return np.moveaxis(scaled, 0, -1)
    return np.asarray(scaled[0])
