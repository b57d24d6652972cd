"""``stable-tiles evaluate``: what a translation is worth, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import common_options, emit, session

if TYPE_CHECKING:
    from stable_tiles.evaluate.cells import RoiReport


@click.group()
def evaluate() -> None:
    """Measure a translation against its input or the truth."""


@evaluate.command()
@click.argument("source", metavar="INPUT.zarr")
@click.argument("translated", metavar="TRANSLATED.zarr")
@click.option("--diameter", default=16.0, show_default=True, help="Of a cell, pixels.")
@click.option("--labels-input", help="Label image of INPUT instead of segmenting it.")
@click.option("--labels-output", help="Label image of TRANSLATED instead of segmenting it.")
@click.option("--channel-input", default=0, show_default=True, help="Channel of INPUT.")
@click.option("--channel-output", default=0, show_default=True, help="Channel of TRANSLATED.")
@common_options
def rois(
    source: str,
    translated: str,
    *,
    diameter: float,
    labels_input: str | None,
    labels_output: str | None,
    channel_input: int,
    channel_output: int,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Find cells in both images and match each of INPUT with the nearest of TRANSLATED.

    INPUT may also be the true image of the target domain.
    """
    with session(quiet=quiet, verbose=verbose, debug=debug) as progress:
        from stable_tiles.evaluate.cells import RoiOptions, evaluate_rois

        options = RoiOptions(diameter, labels_input, labels_output, channel_input, channel_output)
        report = evaluate_rois(source, translated, options, progress)
        emit(report, as_json, _text(report))


def _text(report: RoiReport) -> str:
    distance, iou = report.metrics["distance"], report.metrics["iou"]
    return "\n".join(
        (
            f"cells: {report.count_input} in the input, {report.count_output} in the translation",
            f"centroid distance, px: median {distance.median:.3f}, mean {distance.mean:.3f}",
            f"IoU: median {iou.median:.3f}, mean {iou.mean:.3f}",
            f"cell intensity: Pearson's r = {report.intensity_pcc:.3f}",
        )
    )
