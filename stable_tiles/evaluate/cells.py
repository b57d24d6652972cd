"""The verb ``evaluate rois``: do the cells of a translation lie where they should?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stable_tiles.errors import InputError
from stable_tiles.evaluate.parts import check_alike, parts, read_plane
from stable_tiles.evaluate.rois import Labels, Roi, collect, given, match
from stable_tiles.evaluate.segment import Classical, margin
from stable_tiles.evaluate.summary import Summary, summarize
from stable_tiles.image.store import Image, open_image
from stable_tiles.progress import Progress, silent
from stable_tiles.region import Region

SAMPLED = 16
"""Parts of an image, evenly spread, that its segmentation is fitted on."""


@dataclass(frozen=True)
class RoiOptions:
    """How cells are found.

    Parameters
    ----------
    diameter : float
        Typical diameter of a cell, pixels.
    labels_input, labels_output : path or None
        Label images to take instead of segmenting the input or the translation.
    channel_input, channel_output : int
        Channels that are segmented and measured.
    """

    diameter: float = 16.0
    labels_input: str | Path | None = None
    labels_output: str | Path | None = None
    channel_input: int = 0
    channel_output: int = 0


@dataclass(frozen=True)
class RoiReport:
    """How well the cells of two images agree.

    Parameters
    ----------
    metrics : dict of str to Summary
        By input ROI: ``distance`` from its centroid to the nearest output
        ROI's (pixels) and ``iou`` with that ROI (0..1).
    count_input, count_output : int
        ROIs in either image.
    intensity_pcc : float
        Pearson's correlation, over input ROIs, of the mean intensity inside
        with that inside the nearest output ROI.
    """

    metrics: dict[str, Summary]
    count_input: int
    count_output: int
    intensity_pcc: float


def evaluate_rois(
    source: str | Path,
    translated: str | Path,
    options: RoiOptions | None = None,
    progress: Progress = silent,
) -> RoiReport:
    """Match each cell of an image with the nearest of its translation.

    Parameters
    ----------
    source, translated : path
        Stores of one scene: the input (or the truth) and the translation.
    options : RoiOptions, optional
    progress : Progress
        Told the images done.

    Returns
    -------
    RoiReport

    Raises
    ------
    InputError
        If the images differ in size, or a channel does not exist.
    """
    options = options or RoiOptions()
    if options.diameter <= 0:
        raise InputError(f"--diameter {options.diameter:g}: give a number of pixels above 0")
    images = open_image(source), open_image(translated)
    check_alike(*images)
    reference = _rois(images[0], options.channel_input, options.labels_input, options.diameter)
    progress("images", 1, 2)
    found = _rois(images[1], options.channel_output, options.labels_output, options.diameter)
    progress("images", 2, 2)
    matches = match(reference, found)
    metrics = {"distance": summarize(matches.distance), "iou": summarize(matches.iou)}
    pcc = pearson(np.array(matches.intensities).reshape(-1, 2))
    return RoiReport(metrics, len(reference), len(found), pcc)


def pearson(pairs: np.ndarray) -> float:
    """Pearson's correlation of two columns; NaN where one is constant or too short."""
    if len(pairs) < 2 or (pairs == pairs[0]).all(axis=0).any():
        return float("nan")
    return float(np.corrcoef(pairs.T)[0, 1])


def _rois(image: Image, channel: int, labels: str | Path | None, diameter: float) -> list[Roi]:
    if not 0 <= channel < image.shape[1]:
        raise InputError(
            f"channel {channel}: {image.name} has the channels 0..{image.shape[1] - 1}"
        )
    if labels is not None:
        numbered = open_image(labels)
        check_alike(image, numbered)
        if numbered.dtype.kind not in "ui":
            raise InputError(f"{numbered.name} holds {numbered.dtype}: labels are whole numbers")
        return collect(image, channel, given(numbered), margin(diameter))
    segment = _fitted(image, channel, diameter)

    def number(region: Region) -> Labels:
        return segment(read_plane(image, region, channel))

    return collect(image, channel, number, margin(diameter))


def _fitted(image: Image, channel: int, diameter: float) -> Classical:
    everything = [core for core, _ in parts(image, 0)]
    chosen = np.unique(np.linspace(0, len(everything) - 1, SAMPLED).astype(int))
    samples = [read_plane(image, everything[i], channel) for i in chosen]
    return Classical.fit(diameter, samples)
