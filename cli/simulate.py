"""``stable-tiles simulate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from stable_tiles.simulate.tasks import TASKS

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.simulate.verb import SimulateReport


@click.command()
@click.argument("task", type=click.Choice(sorted(TASKS)))
@click.argument("out")
@click.option("--size", default=512, show_default=True, help="Side of the images, pixels.")
@click.option(
    "--count",
    default=8,
    show_default=True,
    help="Training images of each domain; a quarter as many (at least 1) are added for tests.",
)
@click.option("--seed", default=0, show_default=True, help="Everything follows from it.")
@click.option("--frames", default=1, show_default=True, help="Time points: calcium only.")
@click.option("--slices", default=1, show_default=True, help="Optical sections: every task but he.")
@click.option(
    "--channels", type=int, help="Channels: calcium 1 to 6, he 3, others 1.  [default: the least]"
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["zarr", "tiff"]),
    default="zarr",
    show_default=True,
    help="OME-Zarr, or OME-TIFF of the same pixels.",
)
@click.option("--overwrite", is_flag=True, help="Replace a data set of that name.")
@click.option("--dry-run", is_flag=True, help="Say what would be written; write nothing.")
@common_options
def simulate(
    task: str,
    out: str,
    *,
    size: int,
    count: int,
    seed: int,
    frames: int,
    slices: int,
    channels: int | None,
    file_format: Literal["zarr", "tiff"],
    overwrite: bool,
    dry_run: bool,
    console: Console,
) -> None:
    """Write simulated images of TASK to the folder OUT.

    TASK is calcium (cytosolic to nuclear), dapi (DIC to DAPI), he
    (fluorescence to H&E), mri (T2 to PD), penicillium or planaria (few
    photons to many).

    OUT/train/A and OUT/train/B are unpaired; OUT/test/A, OUT/test/B and
    OUT/test/labels show the same scenes under the same names. Labels are
    whole cells for calcium (their nuclei in OUT/test/nuclei) and nuclei for
    dapi, he and planaria; mri and penicillium have none.
    """
    with console.session() as progress:
        from stable_tiles.simulate.plan import SimulateOptions
        from stable_tiles.simulate.verb import simulate as write

        options = SimulateOptions(
            size, count, seed, frames, slices, channels, file_format, overwrite, dry_run
        )
        report = write(task, out, options, progress)
        console.emit(report, _text(report))


def _text(report: SimulateReport) -> str:
    verb = "would write" if report.dry_run else "wrote"
    pixels = f"{report.axes} {tuple(report.shape)} {report.dtype}"
    size = report.bytes_raw if report.dry_run else report.bytes_out
    lines = [
        f"{verb} {report.output}: {report.task}, seed {report.seed}, {report.format}",
        f"train: 2 x {report.train_images} unpaired images, {pixels}",
        f"test: {report.test_images} pairs, {_labels(report)}",
        f"{size / 2**20:.1f} MiB{' of raw pixels' if report.dry_run else ''}"
        f", {report.memory_bytes / 2**20:.0f} MiB of memory, {report.seconds:.1f} s",
    ]
    return "\n".join(lines)


def _labels(report: SimulateReport) -> str:
    return f"labels in {', '.join(report.labels)}" if report.labels else "no labels"
