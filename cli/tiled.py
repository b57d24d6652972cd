"""What commands share that pass a store through a model tile by tile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import Function

if TYPE_CHECKING:
    from stable_tiles.progress import Progress
    from stable_tiles.translate.options import TranslateOptions
    from stable_tiles.translate.report import TranslateReport


def tiled_options(function: Function) -> Function:
    """Options of where and how tiles are made, and of the output's store."""
    options = (
        click.option(
            "--part", metavar="I/N", help="Only every N-th region, from the I-th (0 to N-1)."
        ),
        click.option("--gpus", type=int, metavar="N", help="GPUs; 0 is the CPU  [default: all]"),
        click.option(
            "--workers",
            type=int,
            metavar="N",
            help="Dask worker processes; 0 works in this process  [default: one a GPU; 0 on a CPU]",
        ),
        click.option(
            "--scheduler", metavar="tcp://...|FILE.json", help="A Dask cluster that runs."
        ),
        click.option(
            "--slurm",
            type=click.Path(path_type=Path),
            metavar="FILE.yaml",
            help="Arguments of dask-jobqueue's SLURMCluster.",
        ),
        click.option(
            "--dashboard",
            type=int,
            metavar="PORT",
            help="Show the workers on a page at this port of 127.0.0.1, Dask's dashboard.",
        ),
        click.option(
            "--tile",
            default="auto",
            show_default=True,
            metavar="auto|N",
            help="Side of a forward pass with its halo, pixels.",
        ),
        click.option(
            "--halo",
            default="auto",
            show_default=True,
            metavar="auto|N",
            help="Pixels read around what a tile writes; auto is the network's reach.",
        ),
        click.option(
            "--blend",
            default="auto",
            show_default=True,
            metavar="auto|crop|linear|hann|gaussian",
            help="auto: crop where the network's reach is finite, else hann.",
        ),
        click.option(
            "--precision",
            default="auto",
            show_default=True,
            metavar="auto|32|bf16",
            help="Of the network; auto is 32 bits.",
        ),
        click.option(
            "--compile/--no-compile",
            "compiled",
            default=False,
            show_default=True,
            help="Compile the network with torch.compile.",
        ),
        click.option(
            "--region", metavar="Y0:Y1,X0:X1", help="Only this box, pixels  [default: all]"
        ),
        click.option("--planes", metavar="t=0:10,z=5", help="Only these planes  [default: all]"),
        click.option("--channels", metavar="0,2", help="Channels for the model  [default: all]"),
        click.option(
            "--dtype",
            default="auto",
            show_default=True,
            metavar="auto|float32|uint16|uint8",
            help="Of the output; auto is the target domain's.",
        ),
        click.option(
            "--normalize",
            metavar="image|training|none",
            help="By the image's own percentiles, as in training, or not  [default: the model's]",
        ),
        click.option("--chunk", default=512, show_default=True, help="Side of a chunk, pixels."),
        click.option(
            "--shard",
            type=int,
            help="Side of a shard, pixels; 0 for none  "
            "[default: 4096, of denoise a chunk; 0 with 0.4]",
        ),
        click.option(
            "--ngff",
            type=click.Choice(["0.5", "0.4"]),
            default="0.5",
            show_default=True,
            help="Version of OME-NGFF; QuPath and Bio-Formats read 0.4 only.",
        ),
        click.option(
            "--codec",
            default="zstd:1",
            show_default=True,
            metavar="NAME[:LEVEL]",
            help="Compression: zstd, blosc or none.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace an output of that name."),
        click.option("--resume", is_flag=True, help="Complete interrupted work."),
        click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def told(given: dict[str, Any]) -> TranslateOptions:
    """What was said, as the library takes it."""
    from stable_tiles.image.codec import Codec
    from stable_tiles.translate import options, parse

    planes = parse.parse_planes(given["planes"]) if given["planes"] else {}
    select = options.Selection(
        region=parse.parse_region(given["region"]) if given["region"] else None,
        t=planes.get("t"),
        z=planes.get("z"),
        channels=parse.parse_channels(given["channels"]) if given["channels"] else None,
    )
    hardware = options.Hardware(
        *(given[name] for name in ("device", "gpus", "workers", "scheduler", "slurm", "dashboard"))
    )
    store = options.StoreOptions(
        given["chunk"], given["shard"], given["ngff"], Codec.parse(given["codec"])
    )
    same = ("model", "direction", "blend", "norm", "precision", "dtype", "normalize")
    flags = ("confidence", "overwrite", "resume", "dry_run")
    known = {name: given[name] for name in (*same, *flags) if name in given}
    if "values" in given:
        known["range"] = given["values"]
    return options.TranslateOptions(
        select=select,
        tile=parse.parse_size("--tile", given["tile"]),
        halo=parse.parse_size("--halo", given["halo"]),
        compile=given["compiled"],
        part=parse.parse_part(given["part"]) if given["part"] else None,
        hardware=hardware,
        store=store,
        **known,
    )


def watched(progress: Progress, options: TranslateOptions) -> Progress:
    """The same progress, which at first says where the workers are shown, if they are."""
    port = options.hardware.dashboard

    def show(what: str, done: int, total: int) -> None:
        nonlocal port
        if port is not None:
            click.echo(f"dashboard: http://127.0.0.1:{port}/status", err=True)
            port = None
        progress(what, done, total)

    return show


def summary(report: TranslateReport) -> str:
    """The report for people."""
    size = "x".join(map(str, report.shape))
    plan = (
        f"{report.tiles} tiles of {report.tile} px with a halo of {report.halo}, {report.blend}, "
        f"in {report.regions} regions: {report.redundancy:.2f} pixels computed for each written"
    )
    if report.dry_run:
        cost = f"{report.memory_bytes >> 20} MiB of memory, {report.disk_bytes >> 20} MiB of disk"
        return f"would write {report.output}: {size} {report.dtype}\n{plan}\nup to {cost}"
    head = "wrote" if report.complete else "wrote a part of"
    speed = (
        f"{report.megapixels:.1f} megapixels in {report.seconds:.1f} s "
        f"({report.megapixels_per_second:.2f}/s), {report.forward_seconds:.1f} s in the network, "
        f"peak memory {report.peak_rss_bytes >> 20} MiB"
    )
    clipped = (
        f"\n{report.clipped_fraction:.3%} of values clipped" if report.clipped_fraction else ""
    )
    full = (
        f"\n{report.halved} passes were cut in two for lack of GPU memory: use a smaller --tile"
        if report.halved
        else ""
    )
    return f"{head} {report.output}: {size} {report.dtype}\n{plan}\n{speed}{clipped}{full}"
