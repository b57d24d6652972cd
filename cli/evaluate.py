"""``stable-tiles evaluate``: what a translation is worth, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from .output import common_options, emit, session

if TYPE_CHECKING:
    from stable_tiles.evaluate.cells import RoiReport
    from stable_tiles.evaluate.images import DataRange, ImageReport


class DataRangeType(click.ParamType):
    """``auto``, ``dtype``, ``reference`` or a number."""

    name = "auto|dtype|reference|NUMBER"

    def convert(self, value: Any, param: Any, ctx: Any) -> DataRange:
        """The word, or the number."""
        if value in {"auto", "dtype", "reference"}:
            word: DataRange = value
            return word
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r}: give auto, dtype, reference or a number", param, ctx)


@click.group()
def evaluate() -> None:
    """Measure a translation against its input or the truth."""


@evaluate.command()
@click.argument("prediction", metavar="PRED.zarr")
@click.argument("reference", metavar="REF.zarr")
@click.option(
    "--normalize",
    type=click.Choice(["none", "percentile"]),
    default="none",
    show_default=True,
    help="percentile: the 0.1 and 99.9 percentile of each image become 0 and 1 first.",
)
@click.option(
    "--data-range",
    type=DataRangeType(),
    default="auto",
    show_default=True,
    help="Range of pixels for PSNR and SSIM; auto: 1 with --normalize percentile, 255 for uint8, "
    "else REF's highest minus lowest pixel.",
)
@common_options
def images(
    prediction: str,
    reference: str,
    *,
    normalize: Literal["none", "percentile"],
    data_range: DataRange,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """RMSE, MAE, PSNR, SSIM and Pearson's r of every plane of PRED against REF."""
    with session(quiet=quiet, verbose=verbose, debug=debug) as progress:
        from stable_tiles.evaluate.images import ImageOptions, evaluate_images

        options = ImageOptions(normalize, data_range)
        report = evaluate_images(prediction, reference, options, progress)
        emit(report, as_json, _images_text(report))


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


def _images_text(report: ImageReport) -> str:
    rows = [f"{'':6}{'median':>12}{'mean':>12}{'sd':>12}{'n':>8}"]
    for name, found in report.metrics.items():
        rows.append(f"{name:6}{found.median:12.5g}{found.mean:12.5g}{found.sd:12.5g}{found.n:8}")
    return "\n".join((*rows, f"over planes; data range {report.data_range:g}"))


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
