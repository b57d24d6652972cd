"""The verb ``evaluate rois``: do the cells of a translation lie where they should?"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError
from stable_tiles.evaluate.parts import check_alike, parts, read_plane
from stable_tiles.evaluate.rois import Labels, Matches, Roi, agreeing, collect, given, match
from stable_tiles.evaluate.segmenters import Segmenter, SegmentOptions, fit_segmenter
from stable_tiles.evaluate.summary import Summary, summarize
from stable_tiles.evaluate.traces import Side, correlations
from stable_tiles.image.store import Image, open_image
from stable_tiles.progress import Progress, silent
from stable_tiles.region import Region

SAMPLED = 16
"""Parts of an image, evenly spread, that its segmentation is fitted on."""


@dataclass(frozen=True)
class RoiOptions:
    """How cells are found and followed.

    Parameters
    ----------
    diameter : float
        Typical diameter of a cell, pixels.
    labels_input, labels_output : path or None
        Label images to take instead of segmenting the input or the translation;
        one of a single frame holds for all frames of a movie.
    channel_input, channel_output : int
        Channels that are segmented and measured.
    segment : SegmentOptions
        How cells are found where no labels are given.
    over_time : {"mean", "each"}
        ``mean`` finds the cells of a movie once, in the mean of its frames, and
        follows their intensities; ``each`` finds and matches them in every
        frame on its own, without traces.
    baseline_window : int
        Frames of the moving mean that is the baseline F0 of dF/F0.
    """

    diameter: float = 16.0
    labels_input: str | Path | None = None
    labels_output: str | Path | None = None
    channel_input: int = 0
    channel_output: int = 0
    segment: SegmentOptions = field(default_factory=SegmentOptions)
    over_time: Literal["mean", "each"] = "mean"
    baseline_window: int = 100

    def __post_init__(self) -> None:
        if not self.diameter > 0:
            raise InputError(f"--diameter {self.diameter:g}: give a number of pixels above 0")
        if self.baseline_window < 2:
            raise InputError(f"--baseline-window {self.baseline_window}: give 2 frames or more")


@dataclass(frozen=True)
class RoiReport:
    """How well the cells of two images agree.

    Parameters
    ----------
    metrics : dict of str to Summary
        By input ROI: ``distance`` from its centroid to the nearest output
        ROI's (pixels), ``iou`` with that ROI (0..1); of movies also
        ``trace_pcc`` and ``dff_pcc``, Pearson's correlation of its mean
        intensity over time with that ROI's, as it is and as dF/F0.
    count_input, count_output : int
        ROIs in either image.
    precision, recall, f1 : float
        Share of output ROIs, and of input ROIs, that have one of the other
        image with an IoU above 0.5; and their harmonic mean.
    intensity_pcc : float
        Pearson's correlation, over input ROIs, of the mean intensity inside
        with that inside the nearest output ROI.
    """

    metrics: dict[str, Summary]
    count_input: int
    count_output: int
    precision: float
    recall: float
    f1: float
    intensity_pcc: float


@dataclass(frozen=True)
class Comparison:
    """Two images, their ROIs and how they match.

    Parameters
    ----------
    images : (Image, Image)
        Input and translation.
    rois : (tuple of Roi, tuple of Roi)
    matches : Matches
        Of the input's ROIs.
    report : RoiReport
    """

    images: tuple[Image, Image]
    rois: tuple[tuple[Roi, ...], tuple[Roi, ...]]
    matches: Matches
    report: RoiReport


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
        Told the images done, and of movies the frames.

    Returns
    -------
    RoiReport

    Raises
    ------
    InputError
        If the images differ in size, or a channel does not exist.
    MissingExtra
        If the segmenter needs a package that is not installed.
    """
    return compare_rois(source, translated, options or RoiOptions(), progress).report


def compare_rois(
    source: str | Path, translated: str | Path, options: RoiOptions, progress: Progress = silent
) -> Comparison:
    """As `evaluate_rois`, with the ROIs themselves."""
    images = open_image(source), open_image(translated)
    check_alike(*images)
    reference = _rois(images[0], options.channel_input, options.labels_input, options)
    progress("images", 1, 2)
    found = _rois(images[1], options.channel_output, options.labels_output, options)
    progress("images", 2, 2)
    matches = match(reference, found)
    metrics = {"distance": summarize(matches.distance), "iou": summarize(matches.iou)}
    if images[0].shape[0] > 1 and options.over_time == "mean":
        metrics |= _traces(images, (reference, found), matches, options, progress)
    agree = agreeing(reference, found)
    both = len(reference) + len(found)
    report = RoiReport(
        metrics=metrics,
        count_input=len(reference),
        count_output=len(found),
        precision=agree / len(found) if found else float("nan"),
        recall=agree / len(reference) if reference else float("nan"),
        f1=2 * agree / both if both else float("nan"),
        intensity_pcc=pearson(np.array(matches.intensities).reshape(-1, 2)),
    )
    return Comparison(images, (tuple(reference), tuple(found)), matches, report)


def pearson(pairs: npt.NDArray[np.float64]) -> float:
    """Pearson's correlation of two columns; NaN where one is constant or too short."""
    if len(pairs) < 2 or (pairs == pairs[0]).all(axis=0).any():
        return float("nan")
    return float(np.asarray(np.corrcoef(pairs.T))[0, 1])


def sides(comparison: Comparison, options: RoiOptions, chosen: list[int]) -> tuple[Side, Side]:
    """The chosen input ROIs that have a match, and their matches."""
    nearest = [comparison.matches.nearest[i] for i in chosen]
    pairs = [(i, j) for i, j in zip(chosen, nearest, strict=True) if j is not None]
    return (
        Side(
            comparison.images[0],
            options.channel_input,
            tuple(comparison.rois[0][i] for i, _ in pairs),
        ),
        Side(
            comparison.images[1],
            options.channel_output,
            tuple(comparison.rois[1][j] for _, j in pairs),
        ),
    )


def _traces(
    images: tuple[Image, Image],
    rois: tuple[list[Roi], list[Roi]],
    matches: Matches,
    options: RoiOptions,
    progress: Progress,
) -> dict[str, Summary]:
    known = [(i, j) for i, j in enumerate(matches.nearest) if j is not None]
    values = np.full((2, len(matches.nearest)), np.nan)
    if known:
        source = Side(images[0], options.channel_input, tuple(rois[0][i] for i, _ in known))
        target = Side(images[1], options.channel_output, tuple(rois[1][j] for _, j in known))
        values[:, [i for i, _ in known]] = correlations(
            source, target, options.baseline_window, progress
        )
    raw, change = values.tolist()
    return {"trace_pcc": summarize(raw), "dff_pcc": summarize(change)}


def _rois(image: Image, channel: int, labels: str | Path | None, options: RoiOptions) -> list[Roi]:
    if not 0 <= channel < image.shape[1]:
        raise InputError(
            f"channel {channel}: {image.name} has the channels 0..{image.shape[1] - 1}"
        )
    mean = options.over_time == "mean"
    if labels is not None:
        numbered = open_image(labels)
        _check_labels(numbered, image, mean)
        margin = int(np.ceil(4 * options.diameter))
        spans = parts(image, margin, mean_over_time=mean)
        return collect(image, channel, given(numbered), spans)
    segment = _fitted(image, channel, options, mean)

    def number(region: Region) -> Labels:
        return segment(read_plane(image, region, channel))

    return collect(image, channel, number, parts(image, segment.margin, mean_over_time=mean))


def _check_labels(labels: Image, image: Image, mean: bool) -> None:
    if labels.dtype.kind not in "ui":
        raise InputError(f"{labels.name} holds {labels.dtype}: labels are whole numbers")
    if labels.shape[0] > 1 or labels.shape[2:] != image.shape[2:]:
        check_alike(image, labels)
        if mean and labels.shape[0] > 1:
            raise InputError(
                f"{labels.name} has labels for each frame: give those of one frame, or "
                "--over-time each"
            )


def _fitted(image: Image, channel: int, options: RoiOptions, mean: bool) -> Segmenter:
    everything = [core for core, _ in parts(image, 0, mean_over_time=mean)]
    chosen = np.unique(np.linspace(0, len(everything) - 1, SAMPLED).astype(int))
    samples = [read_plane(image, everything[i], channel) for i in chosen]
    return fit_segmenter(options.segment, options.diameter, samples)
