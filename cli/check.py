"""``stable-tiles check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Console, common_options, model_options

if TYPE_CHECKING:
    from stable_tiles.check import CheckReport


@click.command()
@click.argument("source", metavar="[SRC.zarr]", required=False)
@model_options
@common_options
def check(
    *,
    source: str | None,
    model: Path | None,
    direction: str,
    device: str,
    console: Console,
) -> None:
    """Say how a model tiles: reach, halo, and what tiling changes on a sample.

    The sample is a piece of SRC, or noise where no image is given.
    """
    with console.session() as progress:
        from stable_tiles.check import check as run

        report = run(model, source, direction=direction, device=device, progress=progress)
        console.emit(report, _text(report))


def _text(report: CheckReport) -> str:
    reach = "no limit" if report.reach is None else f"{report.reach} px"
    layers = ", ".join(f"{kind}: {count}" for kind, count in report.norm_layers.items()) or "none"
    return "\n".join(
        (
            f"reach: {reach}; stride: {report.stride} px; halo: {report.halo} px",
            f"largest difference of tiled and whole image: {report.max_abs_difference:g}",
            f"seam index (1 is no seam): {report.seam_index:.3f}",
            f"norm layers: {layers} ({report.norm_risk})",
            f"tile: {report.tile} px",
        )
    )
