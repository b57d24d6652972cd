"""``stable-tiles convert``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.convert import ConvertReport


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@click.argument("target", metavar="DST.zarr")
@click.option("--series", type=int, help="Image of a file that holds several  [default: the main]")
@click.option(
    "--axes",
    help="Meaning of the dimensions, such as tyx, when the file does not say; lengths part what "
    "it holds as one: z4c3yx  "
    "[default for unnamed pages: t]",
)
@click.option("--stack", type=click.Choice(["t", "z"]), help="Stack several files along an axis.")
@click.option(
    "--pixel-size", metavar="Y,X[,Z]", help="Size of a pixel in --unit  [default: the file's]"
)
@click.option(
    "--unit", help="Unit of length: micrometer, millimeter, nanometer, ...  [default: micrometer]"
)
@click.option("--time-step", type=float, metavar="S", help="Seconds between frames.")
@click.option("--channel-names", metavar="A,B", help="Names of the channels.")
@click.option(
    "--ngff",
    type=click.Choice(["0.5", "0.4"]),
    default="0.5",
    show_default=True,
    help="OME-NGFF version. QuPath and Bio-Formats read 0.4, not yet 0.5.",
)
@click.option("--chunk", default=512, show_default=True, help="Side of a chunk, pixels.")
@click.option(
    "--shard",
    type=int,
    help="Side of a shard, pixels; 0 for none  [default: 4096; 0 with --ngff 0.4]",
)
@click.option(
    "--codec",
    metavar="NAME[:LEVEL]",
    help="zstd (with checksum), blosc or none, and its level  "
    "[default: zstd:1; blosc:5 with --ngff 0.4]",
)
@click.option(
    "--levels",
    default="auto",
    show_default=True,
    help="Number of resolution levels; auto halves down to one chunk.",
)
@click.option("--region", metavar="Y0:Y1,X0:X1", help="Convert this box only, pixels.")
@click.option(
    "--keep-associated",
    is_flag=True,
    help="Keep label, macro and thumbnail of a slide and all text of the original metadata; "
    "they may name a person.",
)
@click.option("--workers", type=int, help="Threads  [default: one a core, at most 4]")
@click.option("--overwrite", is_flag=True, help="Replace a store of that name.")
@click.option("--resume", is_flag=True, help="Complete an interrupted conversion.")
@click.option("--dry-run", is_flag=True, help="Say what would be written; write nothing.")
@common_options
def convert(
    *,
    sources: tuple[str, ...],
    target: str,
    series: int | None,
    axes: str | None,
    stack: Literal["t", "z"] | None,
    pixel_size: str | None,
    unit: str | None,
    time_step: float | None,
    channel_names: str | None,
    ngff: Literal["0.4", "0.5"],
    chunk: int,
    shard: int | None,
    codec: str | None,
    levels: str,
    region: str | None,
    keep_associated: bool,
    workers: int | None,
    overwrite: bool,
    resume: bool,
    dry_run: bool,
    console: Console,
) -> None:
    """Convert SRC (TIFF, SVS, NDPI, PNG, JPEG, NIfTI, DICOM, OME-Zarr, ...) to OME-Zarr.

    Level 0 holds the source's pixels as they are; physical sizes, channels and
    a NIfTI header survive. Several files of one shape are stacked by --stack.
    """
    with console.session() as progress:
        from stable_tiles.convert import ConvertOptions
        from stable_tiles.convert import convert as run
        from stable_tiles.convert.options import Said, parse_levels, parse_sizes
        from stable_tiles.image.codec import Codec
        from stable_tiles.translate.parse import parse_region

        said = Said(
            series,
            axes,
            stack,
            parse_sizes(pixel_size) if pixel_size else None,
            unit,
            time_step,
            tuple(channel_names.split(",")) if channel_names else None,
        )
        options = ConvertOptions(
            said,
            parse_region(region) if region else None,
            ngff,
            chunk,
            shard,
            Codec.parse(codec) if codec else None,
            parse_levels(levels),
            keep_associated,
            workers,
            overwrite,
            resume,
            dry_run,
        )
        report = run(sources, target, options, progress)
        console.emit(report, _text(report))


def _text(report: ConvertReport) -> str:
    size = "x".join(map(str, report.shape))
    scale = ", ".join(f"{axis} {step:g}" for axis, step in report.scale.items())
    unit = report.unit or "no unit"
    head = "would write" if report.dry_run else "wrote"
    lines = [
        f"{head} {report.output}: {report.axes} {size} {report.dtype}, {report.levels} levels",
        f"scale: {scale} ({unit})",
    ]
    if report.dry_run:
        lines.append(
            f"{report.regions} regions by {report.workers} threads, up to "
            f"{report.memory_bytes >> 20} MiB of memory and {report.disk_bytes >> 20} MiB of disk"
        )
    else:
        lines.append(
            f"{report.bytes_in / 2**20:.1f} MiB in, {report.bytes_out / 2**20:.1f} MiB out, "
            f"{report.seconds:.1f} s, peak memory {report.peak_rss_bytes >> 20} MiB"
        )
    return "\n".join(lines)
