"""A picture of several images side by side: a person judges a translation by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from stable_tiles.evaluate.views import grey, view
from stable_tiles.image.store import Image
from stable_tiles.region import Region


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
        shown = (view(image, [t], z), view(image, [t], z, _centre(image, zoom)))
        for row, pixels in enumerate(shown):
            axes[row, column].imshow(grey(pixels), interpolation="nearest")
            axes[row, column].set_axis_off()
        axes[0, column].set_title(title)
    figure.savefig(target)


def _centre(image: Image, zoom: int) -> Region:
    y, x = image.shape[3:]
    top, left = max(0, (y - zoom) // 2), max(0, (x - zoom) // 2)
    return Region((top, left), (min(y, top + zoom), min(x, left + zoom)))
