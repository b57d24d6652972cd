"""The verbs of ``evaluate`` with their reports: measure, then write the page beside the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stable_tiles.evaluate.cells import RoiOptions, RoiReport, compare_rois
from stable_tiles.evaluate.compare import CompareReport, evaluate_compare
from stable_tiles.evaluate.images import ImageOptions, ImageReport, evaluate_images
from stable_tiles.evaluate.report import Target
from stable_tiles.evaluate.report_compare import compare_page
from stable_tiles.evaluate.report_images import images_page
from stable_tiles.evaluate.report_rois import rois_page
from stable_tiles.image.store import open_image
from stable_tiles.progress import Progress, silent


def target(folder: Path | None, overwrite: bool) -> Target | None:
    """Where a report goes; refused before any work where something is there already."""
    return Target(folder, overwrite) if folder else None


def report_images(
    pair: tuple[str | Path, str | Path],
    options: ImageOptions,
    target: Target | None,
    progress: Progress = silent,
) -> ImageReport:
    """`evaluate_images` of a prediction and its reference, with a report if one is wanted."""
    report = evaluate_images(*pair, options, progress)
    if target:
        target.write(
            images_page((open_image(pair[0]), open_image(pair[1])), options, report), report
        )
    return report


def report_rois(
    pair: tuple[str | Path, str | Path],
    options: RoiOptions,
    target: Target | None,
    progress: Progress = silent,
) -> RoiReport:
    """`evaluate_rois` of an input and its translation, with a report if one is wanted."""
    comparison = compare_rois(*pair, options, progress)
    if target:
        target.write(rois_page(comparison, options), comparison.report)
    return comparison.report


def report_compare(results: Sequence[str | Path], target: Target | None) -> CompareReport:
    """`evaluate_compare` of several results, with a report if one is wanted."""
    report = evaluate_compare(results)
    if target:
        target.write(compare_page(report), report)
    return report
