"""``stable-tiles translate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import common_options, emit, model_options, session

if TYPE_CHECKING:
    from stable_tiles.translate.options import TranslateOptions
    from stable_tiles.translate.report import CohortReport, TranslateReport


@click.command()
@click.argument("images", nargs=-1, metavar="SRC.zarr [DST.zarr] | SRC.zarr SRC.zarr SRC.zarr...")
@click.option(
    "--list",
    "listed",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Stores to translate: a line each, SRC or SRC, tabulator, DST.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Translate every store given into this folder.",
)
@model_options
@click.option("--part", metavar="I/N", help="Only every N-th region, from the I-th (0 to N-1).")
@click.option("--gpus", type=int, metavar="N", help="GPUs; 0 is the CPU  [default: all]")
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Dask worker processes; 0 works in this process  [default: one a GPU; 0 on a CPU]",
)
@click.option("--scheduler", metavar="tcp://...|FILE.json", help="A Dask cluster that runs.")
@click.option(
    "--slurm",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="Arguments of dask-jobqueue's SLURMCluster.",
)
@click.option(
    "--tile",
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="Side of a forward pass with its halo, pixels.",
)
@click.option(
    "--halo",
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="Pixels read around what a tile writes; auto is the network's reach.",
)
@click.option(
    "--blend",
    default="auto",
    show_default=True,
    metavar="auto|crop|linear|hann|gaussian",
    help="auto: crop where the network's reach is finite, else hann.",
)
@click.option(
    "--precision",
    default="auto",
    show_default=True,
    metavar="auto|32|bf16",
    help="Of the network; auto is 32 bits.",
)
@click.option(
    "--compile/--no-compile",
    "compiled",
    default=False,
    show_default=True,
    help="Compile the network with torch.compile.",
)
@click.option(
    "--norm",
    default="auto",
    show_default=True,
    metavar="auto|exact|frozen|dense",
    help="Statistics of instance norms: frozen, the run's; exact, the whole plane's, gathered "
    "first; dense, interpolated between cells of it  [auto: frozen where the run holds them, "
    "else exact]",
)
@click.option("--region", metavar="Y0:Y1,X0:X1", help="Only this box, pixels  [default: all]")
@click.option("--planes", metavar="t=0:10,z=5", help="Only these planes  [default: all]")
@click.option("--channels", metavar="0,2", help="Channels for the model  [default: all]")
@click.option(
    "--dtype",
    default="auto",
    show_default=True,
    metavar="auto|float32|uint16|uint8",
    help="Of the output; auto is the target domain's.",
)
@click.option(
    "--range",
    "values",
    default="physical",
    show_default=True,
    metavar="physical|unit",
    help="physical: values of the target domain; unit: 0..1, or the whole range of integers.",
)
@click.option(
    "--normalize",
    metavar="image|training|none",
    help="By the image's own percentiles, as in training, or not  [default: the model's]",
)
@click.option("--confidence", is_flag=True, help="Also write DST.zarr/confidence: errors a pixel.")
@click.option("--chunk", default=512, show_default=True, help="Side of a chunk, pixels.")
@click.option(
    "--shard", type=int, help="Side of a shard, pixels; 0 for none  [default: 4096; 0 with 0.4]"
)
@click.option(
    "--ngff",
    type=click.Choice(["0.5", "0.4"]),
    default="0.5",
    show_default=True,
    help="Version of OME-NGFF; QuPath and Bio-Formats read 0.4 only.",
)
@click.option(
    "--codec",
    default="zstd:1",
    show_default=True,
    metavar="NAME[:LEVEL]",
    help="Compression: zstd, blosc or none.",
)
@click.option("--overwrite", is_flag=True, help="Replace an output of that name.")
@click.option("--resume", is_flag=True, help="Complete an interrupted translation.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@common_options
def translate(
    images: tuple[str, ...],
    *,
    listed: Path | None,
    folder: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Translate SRC with a trained model, tile by tile and without seams.

    The output has SRC's axes and scale and the channels of the model's target
    domain. An interrupted translation is completed by --resume, to the same
    bytes.

    Three and more stores, or any number with --out or --list, are translated
    one after the other, all workers busy until the last; DST is then
    SRC.translated.zarr, in the folder of --out if given.
    """
    with session(quiet=quiet, verbose=verbose, debug=debug) as progress:
        from stable_tiles.translate import verb
        from stable_tiles.translate.find import find_images

        if len(images) in {1, 2} and not listed and not folder:
            report = verb.translate(images[0], [*images, None][1], _options(given), progress)
            emit(report, as_json, _text(report))
            return
        pairs = find_images(images, listed, folder)
        cohort = verb.translate_all(pairs, _options(given), progress)
        emit(cohort, as_json, _table(cohort))


def _options(given: dict[str, Any]) -> TranslateOptions:
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
        given["device"], given["gpus"], given["workers"], given["scheduler"], given["slurm"]
    )
    store = options.StoreOptions(
        given["chunk"], given["shard"], given["ngff"], Codec.parse(given["codec"])
    )
    same = ("model", "direction", "blend", "norm", "precision", "dtype", "normalize")
    flags = ("confidence", "overwrite", "resume", "dry_run")
    return options.TranslateOptions(
        select=select,
        tile=parse.parse_size("--tile", given["tile"]),
        halo=parse.parse_size("--halo", given["halo"]),
        compile=given["compiled"],
        range=given["values"],
        part=parse.parse_part(given["part"]) if given["part"] else None,
        hardware=hardware,
        store=store,
        **{name: given[name] for name in (*same, *flags)},
    )


def _table(cohort: CohortReport) -> str:
    name = max(len(image.output) for image in cohort.images)
    lines = [f"{'output':{name}}  regions  done before      Mpx        s"]
    lines += [
        f"{image.output:{name}}  {image.regions:7}  {image.resumed_regions:11}  "
        f"{image.megapixels:7.1f}  {image.seconds:7.1f}"
        for image in cohort.images
    ]
    total = (
        f"{len(cohort.images)} images, {cohort.megapixels:.1f} megapixels in "
        f"{cohort.seconds:.1f} s ({cohort.megapixels_per_second:.2f}/s); "
        f"workers idle {cohort.idle_fraction:.1%} of the time"
    )
    return "\n".join([*lines, total])


def _text(report: TranslateReport) -> str:
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
