"""``stable-tiles evaluate``: what a translation is worth, in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .output import Console, Function, common_options

if TYPE_CHECKING:
    from stable_tiles.evaluate.cells import RoiReport
    from stable_tiles.evaluate.compare import CompareReport
    from stable_tiles.evaluate.images import DataRange, ImageReport


def _data_range(context: click.Context, parameter: click.Parameter, value: str) -> DataRange:
    """The option's word, or its number."""
    words: tuple[Literal["auto", "dtype", "reference"], ...] = ("auto", "dtype", "reference")
    for word in words:
        if value == word:
            return word
    try:
        return float(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r}: give auto, dtype, reference or a number", context, parameter
        ) from None


def report_options(function: Function) -> Function:
    """``--report`` and ``--overwrite`` on a command."""
    folder = click.option(
        "--report",
        "folder",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Write DIR/report.html, which needs nothing else, and DIR/result.json.",
    )
    return folder(click.option("--overwrite", is_flag=True, help="Replace DIR.")(function))


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
    callback=_data_range,
    metavar="auto|dtype|reference|NUMBER",
    default="auto",
    show_default=True,
    help="Range of pixels for PSNR and SSIM; auto: 1 with --normalize percentile, 255 for uint8, "
    "else REF's highest minus lowest pixel.",
)
@report_options
@common_options
def images(
    prediction: str,
    reference: str,
    *,
    normalize: Literal["none", "percentile"],
    data_range: DataRange,
    folder: Path | None,
    overwrite: bool,
    console: Console,
) -> None:
    """RMSE, MAE, PSNR, SSIM and Pearson's r of every plane of PRED against REF."""
    with console.session() as progress:
        from stable_tiles.evaluate.images import ImageOptions
        from stable_tiles.evaluate.verb import report_images, target

        options = ImageOptions(normalize, data_range)
        where = target(folder, overwrite)
        report = report_images((prediction, reference), options, where, progress)
        console.emit(report, _images_text(report))


@evaluate.command()
@click.argument("source", metavar="INPUT.zarr")
@click.argument("translated", metavar="TRANSLATED.zarr")
@click.option("--diameter", default=16.0, show_default=True, help="Of a cell, pixels.")
@click.option(
    "--segmenter",
    default="classical",
    show_default=True,
    metavar="classical|cellpose|FILE.onnx",
    help="What finds the cells.",
)
@click.option("--cellpose-model", type=click.Path(path_type=Path), help="A Cellpose 3 model.")
@click.option(
    "--onnx-diameter",
    type=float,
    help="Of cells in the images that the ONNX model was trained on, pixels; images are resized to "
    "match  [default: not resized]",
)
@click.option(
    "--onnx-mean",
    type=float,
    help="Subtracted from pixels of the highest 1  [default: the image's mean]",
)
@click.option("--onnx-sd", type=float, help="What they are divided by  [default: the image's SD]")
@click.option("--labels-input", help="Label image of INPUT instead of segmenting it.")
@click.option("--labels-output", help="Label image of TRANSLATED instead of segmenting it.")
@click.option("--channel-input", default=0, show_default=True, help="Channel of INPUT.")
@click.option("--channel-output", default=0, show_default=True, help="Channel of TRANSLATED.")
@click.option(
    "--over-time",
    type=click.Choice(["mean", "each"]),
    default="mean",
    show_default=True,
    help="Find the cells of a movie in the mean of its frames and follow them, or find and match "
    "them in each frame.",
)
@click.option(
    "--baseline-window",
    default=100,
    show_default=True,
    help="Frames of the moving mean that is F0 of dF/F0.",
)
@report_options
@common_options
def rois(
    source: str,
    translated: str,
    *,
    diameter: float,
    segmenter: str,
    cellpose_model: Path | None,
    onnx_diameter: float | None,
    onnx_mean: float | None,
    onnx_sd: float | None,
    labels_input: str | None,
    labels_output: str | None,
    channel_input: int,
    channel_output: int,
    over_time: Literal["mean", "each"],
    baseline_window: int,
    folder: Path | None,
    overwrite: bool,
    console: Console,
) -> None:
    """Find cells in both images and match each of INPUT with the nearest of TRANSLATED.

    INPUT may also be the true image of the target domain.
    """
    with console.session() as progress:
        from stable_tiles.evaluate.cells import RoiOptions
        from stable_tiles.evaluate.onnx import OnnxOptions
        from stable_tiles.evaluate.segmenters import SegmentOptions
        from stable_tiles.evaluate.verb import report_rois, target

        onnx = OnnxOptions(onnx_diameter, onnx_mean, onnx_sd)
        options = RoiOptions(
            diameter=diameter,
            labels_input=labels_input,
            labels_output=labels_output,
            channel_input=channel_input,
            channel_output=channel_output,
            segment=SegmentOptions(segmenter, cellpose_model, onnx),
            over_time=over_time,
            baseline_window=baseline_window,
        )
        where = target(folder, overwrite)
        report = report_rois((source, translated), options, where, progress)
        console.emit(report, _rois_text(report))


@evaluate.command()
@click.argument("movie", metavar="MOVIE.zarr")
@click.argument("labels", metavar="LABELS.zarr")
@click.argument("table", metavar="OUT.csv|OUT.parquet")
@click.option("--channel", default=0, show_default=True, help="Channel of MOVIE.")
@click.option("--dff", is_flag=True, help="dF/F0 instead of mean intensities.")
@click.option(
    "--baseline-window",
    default=100,
    show_default=True,
    help="Frames of the moving mean that is F0 of dF/F0.",
)
@click.option("--overwrite", is_flag=True, help="Replace the table.")
@common_options
def traces(
    movie: str,
    labels: str,
    table: str,
    *,
    channel: int,
    dff: bool,
    baseline_window: int,
    overwrite: bool,
    console: Console,
) -> None:
    """Write the mean of every label of LABELS in every frame of MOVIE as a table.

    A row a frame, a column a label; MOVIE is streamed, whatever its length.
    """
    with console.session() as progress:
        from stable_tiles.evaluate.trace_table import TraceOptions, evaluate_traces

        options = TraceOptions(channel, dff, baseline_window, overwrite)
        report = evaluate_traces(movie, labels, table, options, progress)
        text = (
            f"wrote {report.output}: {report.labels} labels, {report.frames} frames "
            f"in {report.seconds:.1f} s ({report.frames_per_second:.0f}/s)"
        )
        console.emit(report, text)


@evaluate.command()
@click.argument("results", nargs=-1, required=True, metavar="[NAME=]RESULT.json...")
@report_options
@common_options
def compare(
    results: tuple[str, ...],
    *,
    folder: Path | None,
    overwrite: bool,
    console: Console,
) -> None:
    """Two-sample t tests between methods, metric by metric.

    Each RESULT.json is what evaluate images or evaluate rois printed with --json or
    wrote with --report; it is called NAME, else as its file or its folder.
    """
    with console.session():
        from stable_tiles.evaluate.verb import report_compare, target

        report = report_compare(results, target(folder, overwrite))
        console.emit(report, _compare_text(report))


def _compare_text(report: CompareReport) -> str:
    rows = [f"{'metric':10} {'method':20}{'n':>7}{'median':>12}{'mean':>12}{'sd':>12}"]
    for name, result in report.methods.items():
        for metric, found in result.metrics.items():
            numbers = f"{found.n:7}{found.median:12.5g}{found.mean:12.5g}{found.sd:12.5g}"
            rows.append(f"{metric:10} {name:20}{numbers}")
    tests = (
        f"{test.metric}: {test.a} against {test.b}: t = {test.t:.4g}, p = {test.p:.3g} {test.stars}"
        for test in report.tests
    )
    return "\n".join((*rows, *tests))


def _images_text(report: ImageReport) -> str:
    rows = [f"{'':6}{'median':>12}{'mean':>12}{'sd':>12}{'n':>8}"]
    for name, found in report.metrics.items():
        rows.append(f"{name:6}{found.median:12.5g}{found.mean:12.5g}{found.sd:12.5g}{found.n:8}")
    return "\n".join((*rows, f"over planes; data range {report.data_range:g}"))


def _rois_text(report: RoiReport) -> str:
    lines = [
        f"cells: {report.count_input} in the input, {report.count_output} in the translation, "
        f"F1 {report.f1:.3f} at IoU 0.5"
    ]
    names = {
        "distance": "centroid distance, px",
        "iou": "IoU",
        "trace_pcc": "Pearson's r of traces",
        "dff_pcc": "Pearson's r of dF/F0",
    }
    for metric, found in report.metrics.items():
        lines.append(f"{names[metric]}: median {found.median:.3f}, mean {found.mean:.3f}")
    return "\n".join((*lines, f"cell intensity: Pearson's r = {report.intensity_pcc:.3f}"))
