"""``stable-tiles demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.demo import DemoReport


@click.command()
@click.option("--out", default="demo", show_default=True, help="Folder for everything.")
@click.option("--size", default=2048, show_default=True, help="Side of the images, pixels.")
@click.option("--seed", default=0, show_default=True, help="Of the simulation and of training.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting instead of the smoke config's, such as training.steps=100.",
)
@click.option("--gpus", type=click.IntRange(0, 1), help="0 computes on the CPU.")
@click.option("--overwrite", is_flag=True, help="Replace a demo of that name.")
@common_options
def demo(
    out: str,
    *,
    size: int,
    seed: int,
    overrides: tuple[str, ...],
    gpus: int | None,
    overwrite: bool,
    console: Console,
) -> None:
    """Simulate calcium imaging, convert it, train, translate, evaluate, report.

    Takes minutes on two cores. The picture is OUT/demo.png, the page OUT/report/report.html.
    """
    with console.session() as progress:
        from stable_tiles.demo import DemoOptions
        from stable_tiles.demo import demo as run

        options = DemoOptions(
            size=size, seed=seed, overrides=overrides, gpus=gpus, overwrite=overwrite
        )
        report = run(out, options, progress)
        console.emit(report, _text(report))


def _text(report: DemoReport) -> str:
    times = ", ".join(f"{what} {spent:.0f} s" for what, spent in report.seconds.items())
    return (
        f"correlation with the truth: {report.correlation:.3f} "
        f"(the input itself: {report.identity:.3f})\n"
        f"nuclei found against true ones: F1 {report.f1:.3f}\n"
        f"picture: {report.picture}\nreport: {report.report}\n{times}"
    )
