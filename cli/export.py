"""``stable-tiles export``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.export import ExportReport


@click.command()
@click.argument("store")
@click.argument("target", metavar="OUT.ome.tif|OUT.tif|OUT.nii.gz|OUT.nii")
@click.option(
    "--codec",
    type=click.Choice(["deflate", "lzw", "zstd", "none"]),
    default="deflate",
    show_default=True,
    help="Lossless compression of a TIFF's tiles; not every reader knows zstd.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file of that name.")
@click.option("--dry-run", is_flag=True, help="Say what would be written; write nothing.")
@common_options
def export(
    *,
    store: str,
    target: str,
    codec: Literal["deflate", "lzw", "zstd", "none"],
    overwrite: bool,
    dry_run: bool,
    console: Console,
) -> None:
    """Export STORE to a tiled, pyramidal OME-TIFF or TIFF, or to NIfTI.

    Physical sizes and channels travel along; the NIfTI header and affine that
    a conversion kept are restored. A .tif of one plane keeps its pyramid as
    pages, which OpenSlide reads.
    """
    with console.session() as progress:
        from stable_tiles.export import ExportOptions
        from stable_tiles.export import export as run

        report = run(store, target, ExportOptions(codec, overwrite, dry_run), progress)
        console.emit(report, _text(report))


def _text(report: ExportReport) -> str:
    size = "x".join(map(str, report.shape))
    what = f"{report.output}: {report.format}, {report.axes} {size} {report.dtype}"
    levels = f", {report.levels} levels" if report.levels > 1 else ""
    if report.dry_run:
        return (
            f"would write {what}{levels}\nup to {report.memory_bytes >> 20} MiB of memory and "
            f"{report.bytes_raw / 2**20:.1f} MiB of disk before compression"
        )
    return (
        f"wrote {what}{levels}\n{report.bytes_out / 2**20:.1f} MiB, {report.seconds:.1f} s, "
        f"peak memory {report.peak_rss_bytes >> 20} MiB"
    )
