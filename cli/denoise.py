"""``stable-tiles denoise``."""

from __future__ import annotations

from typing import Any

import click

from .output import Console, common_options, run_options
from .tiled import summary, tiled_options, told, watched


@click.command()
@click.argument("source", metavar="SRC.zarr")
@click.argument("target", metavar="[DST.zarr]", required=False)
@run_options
@tiled_options
@common_options
def denoise(
    source: str,
    target: str | None,
    *,
    console: Console,
    **given: Any,
) -> None:
    """Denoise the movie SRC with a model of `train support`, without seams in t, y and x.

    Each frame is made from those around it, 30 before and 30 behind in the
    shipped config; the movie is reflected at its ends. DST is
    SRC.denoised.zarr by default, with SRC's axes and values, as float32
    unless --dtype says otherwise. A warning tells if frames move by more than
    a pixel; nothing is corrected. Shards are one chunk wide by default.
    """
    with console.session() as progress:
        from stable_tiles.translate import denoise as verb

        options = told(given)
        report = verb.denoise(source, target, options, watched(progress, options))
        console.emit(report, summary(report))
