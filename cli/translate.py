"""``stable-tiles translate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import Console, common_options, model_options
from .tiled import summary, tiled_options, told, watched

if TYPE_CHECKING:
    from stable_tiles.evaluate.report import Target
    from stable_tiles.translate.options import TranslateOptions
    from stable_tiles.translate.report import CohortReport


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
    metavar="DIR",
    help="Translate every store given into this folder.",
)
@model_options
@tiled_options
@click.option(
    "--norm",
    default="auto",
    show_default=True,
    metavar="auto|exact|frozen|dense",
    help="Statistics of instance norms: frozen, the run's; exact, the whole plane's, gathered "
    "first; dense, interpolated between cells of it  [auto: frozen where the run holds them, "
    "else exact]",
)
@click.option(
    "--range",
    "values",
    default="physical",
    show_default=True,
    metavar="physical|unit",
    help="physical: values of the target domain; unit: 0..1, or the whole range of integers.",
)
@click.option("--confidence", is_flag=True, help="Also write DST.zarr/confidence: errors a pixel.")
@click.option(
    "--report",
    "report_folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write a page: before and after, intensities, seams, confidence. Of one image.",
)
@common_options
def translate(
    images: tuple[str, ...],
    *,
    listed: Path | None,
    folder: str | None,
    report_folder: Path | None,
    console: Console,
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
    with console.session() as progress:
        from stable_tiles.errors import InputError
        from stable_tiles.translate import verb
        from stable_tiles.translate.find import find_images

        options = told(given)
        show = watched(progress, options)
        if len(images) in {1, 2} and not listed and not folder:
            target = [*images, None][1]
            page = _page(report_folder, options)
            report = verb.translate(images[0], target, options, show)
            if page and report.complete:
                from stable_tiles.evaluate.report_translation import report_translation
                from stable_tiles.translate.prepare import prepare

                report_translation(prepare(images[0], target, options), page)
            console.emit(report, summary(report))
            return
        if report_folder:
            raise InputError("--report is the page of one image: translate it by itself")
        pairs = find_images(images, listed, folder)
        cohort = verb.translate_all(pairs, options, show)
        console.emit(cohort, _table(cohort))


def _page(folder: Path | None, options: TranslateOptions) -> Target | None:
    """Where the page goes, refused before work where it cannot."""
    from stable_tiles.evaluate.report import Target

    return Target(folder, options.overwrite) if folder else None


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
