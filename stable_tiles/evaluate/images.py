"""The verb ``evaluate images``: how far a translation is from the truth, plane by plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError
from stable_tiles.evaluate.parts import parts
from stable_tiles.evaluate.quantiles import limits, percentiles
from stable_tiles.evaluate.summary import Summary, summarize
from stable_tiles.evaluate.sums import METRICS, SSIM_HALO, Sums, sums_of_tile
from stable_tiles.image.store import Image, open_image
from stable_tiles.intensity import dtype_range
from stable_tiles.progress import Progress, silent
from stable_tiles.region import Region

TILE = 512
"""Side of the tiles that are compared at a time, pixels."""

LOW, HIGH = 0.1, 99.9
"""The percentiles that become 0 and 1."""

DataRange = float | Literal["auto", "dtype", "reference"]


@dataclass(frozen=True)
class ImageOptions:
    """What two images are compared as.

    Parameters
    ----------
    normalize : {"none", "percentile"}
        Pixels as they are, or with the 0.1 and 99.9 percentile of each channel
        of each image (of all channels together in RGB images) as 0 and 1,
        nothing clipped.
    data_range : float or {"auto", "dtype", "reference"}
        The range of pixel values that PSNR and SSIM refer to: a number, that of
        the reference's dtype, or highest minus lowest pixel of the reference (1
        where that is 0).  ``auto`` is 1 after ``percentile``, else 255 for
        uint8, else ``reference``.
    """

    normalize: Literal["none", "percentile"] = "none"
    data_range: DataRange = "auto"


@dataclass(frozen=True)
class ImageReport:
    """How far one image is from another.

    Parameters
    ----------
    metrics : dict of str to Summary
        ``rmse``, ``mae``, ``psnr`` (dB), ``ssim`` and ``pcc``, a value a plane
        in the order of t, then z, over all channels of the plane.
    channels : dict of str to dict
        The same for each channel by its name, where there are several.
    normalize : str
        As asked for.
    data_range : float
        As used.
    """

    metrics: dict[str, Summary]
    channels: dict[str, dict[str, Summary]]
    normalize: str
    data_range: float


def evaluate_images(
    prediction: str | Path,
    reference: str | Path,
    options: ImageOptions | None = None,
    progress: Progress = silent,
) -> ImageReport:
    """Compare an image with the truth, streamed in tiles.

    Parameters
    ----------
    prediction, reference : path
        Stores of one shape.
    options : ImageOptions, optional
    progress : Progress
        Told the parts of planes done.

    Returns
    -------
    ImageReport
        Every value is that of scikit-image or SciPy on the whole plane in
        float64 to 1e-6.

    Raises
    ------
    InputError
        If the shapes differ or the data range is not above 0.
    """
    options = options or ImageOptions()
    pair = open_image(prediction), open_image(reference)
    check_shapes(*pair)
    data_range = _data_range(pair[1], options)
    scales = [_scale(image, options) for image in pair]
    planes = compare(pair, scales, data_range, progress)
    names = [channel.name for channel in pair[1].channels]
    channels = {}
    if len(names) > 1:
        # Channels of one name are told apart by their number.
        labels = [
            f"{name} ({i})" if names.count(name) > 1 else name for i, name in enumerate(names)
        ]
        channels = {
            label: _summaries([row[i] for row in planes], data_range)
            for i, label in enumerate(labels)
        }
    return ImageReport(
        metrics=_summaries([sum(row, Sums()) for row in planes], data_range),
        channels=channels,
        normalize=options.normalize,
        data_range=data_range,
    )


def correlation(prediction: Image, reference: Image) -> list[float]:
    """Pearson's correlation of the pixels of each channel, over all planes.

    Returns
    -------
    list of float
        In -1..1, one a channel; NaN where an image is constant.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    check_shapes(prediction, reference)
    totals = [Sums()] * reference.shape[1]
    for region in reference.blocks(TILE * TILE):
        pair = [image.read(region).astype(np.float64) for image in (prediction, reference)]
        for channel, total in enumerate(totals):
            totals[channel] = total + Sums.of_pixels(pair[0][:, channel], pair[1][:, channel])
    return [total.pcc for total in totals]


def check_shapes(prediction: Image, reference: Image) -> None:
    """Refuse images that cannot be compared pixel by pixel."""
    if prediction.shape != reference.shape:
        raise InputError(
            f"{prediction.name} has shape {prediction.shape} and {reference.name} "
            f"{reference.shape} (t, c, z, y, x): compare images of one shape"
        )


@dataclass(frozen=True)
class Scale:
    """``(pixel - low) / span`` for each channel, in float64."""

    low: tuple[float, ...]
    span: tuple[float, ...]

    def __call__(self, pixels: npt.NDArray[np.generic], channel: int) -> npt.NDArray[np.float64]:
        """The pixels of one channel in units of the scale."""
        return (pixels.astype(np.float64) - self.low[channel]) / self.span[channel]


def compare(
    pair: tuple[Image, Image], scales: Sequence[Scale], data_range: float, progress: Progress
) -> list[list[Sums]]:
    """The sums of every plane (t outer, z inner), one for each channel.

    Tiles reach over their borders for structural similarity; a plane is read
    in parts of which one is in memory.
    """
    _, channels, depth, height, width = pair[1].shape
    todo = list(parts(pair[1], SSIM_HALO))
    planes = [[Sums()] * channels for _ in range(pair[1].shape[0] * depth)]
    for done, (core, wide) in enumerate(todo):
        row = planes[core.start[0] * depth + core.start[1]]
        for run in _runs(pair):
            blocks = [image.read(wide, channels=run)[0, :, 0] for image in pair]
            for tile in Region(core.start[2:], core.stop[2:]).divide((TILE, TILE)):
                seen = tile.expand(SSIM_HALO, Region.whole((height, width)))
                index = seen.relative_to(wide.start[2:]).slices
                for i, channel in enumerate(run):
                    x, y = (
                        scale(block[i][index], channel)
                        for scale, block in zip(scales, blocks, strict=True)
                    )
                    row[channel] += sums_of_tile(x, y, tile, (height, width), data_range)
        progress("parts", done + 1, len(todo))
    return planes


def _runs(pair: Sequence[Image]) -> list[range]:
    """Channels that are read together: all where a chunk holds several, else one by one."""
    count = pair[0].shape[1]
    held = (image.axes.canonical_shape(image.levels[0].array.chunks)[1] for image in pair)
    return [range(count)] if max(held) > 1 else [range(i, i + 1) for i in range(count)]


def _summaries(planes: Sequence[Sums], data_range: float) -> dict[str, Summary]:
    rows = [plane.metrics(data_range) for plane in planes]
    return {name: summarize([row[name] for row in rows]) for name in METRICS}


def _scale(image: Image, options: ImageOptions) -> Scale:
    count = image.shape[1]
    if options.normalize == "none":
        return Scale((0.0,) * count, (1.0,) * count)
    rows = percentiles(image, (LOW, HIGH))
    if image.is_rgb:
        rows = [[min(low for low, _ in rows), max(high for _, high in rows)]] * count
    spans = tuple(high - low if high > low else 1.0 for low, high in rows)
    return Scale(tuple(low for low, _ in rows), spans)


def _data_range(reference: Image, options: ImageOptions) -> float:
    wanted = options.data_range
    if options.normalize == "percentile":
        if wanted in {"dtype", "reference"}:
            raise InputError(f"--data-range {wanted}: normalized images have the range 1")
        wanted = 1.0 if wanted == "auto" else wanted
    if wanted == "auto":
        wanted = "dtype" if reference.dtype == np.uint8 else "reference"
    if wanted == "reference":
        low, high = limits(reference)
        return high - low if high > low else 1.0
    if wanted == "dtype":
        low, high = dtype_range(reference.dtype)
        return high - low
    if isinstance(wanted, str) or not 0 < wanted < float("inf"):
        raise InputError(f"--data-range {wanted}: give auto, dtype, reference or a number above 0")
    return wanted
