"""From a raw TIFF movie to the traces of its cells: convert, learn to denoise, denoise, measure.

    python examples/denoising.py MOVIE.tif OUT
    python examples/denoising.py MOVIE.tif OUT --translator RUN

Writes OUT/movie.zarr, OUT/run (the denoiser, learnt from this movie alone),
OUT/denoised.zarr, OUT/labels.zarr (cells found in the mean of all frames),
OUT/traces.csv (dF/F0 of every cell), OUT/movie.png and OUT/traces.png.  With
`--translator`, a run of `train`, the denoised movie is translated and cells
and traces are those of the translation.  Prints one JSON document.

The denoiser is smaller than the paper's and learns in minutes on one core;
any setting of the config `support` can be given by --set KEY=VALUE.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from matplotlib.figure import Figure

from stable_tiles import convert, denoise, evaluate_traces, open_image, train, translate
from stable_tiles.evaluate.parts import read_plane
from stable_tiles.evaluate.picture import side_by_side
from stable_tiles.evaluate.segmenters import SegmentOptions, fit_segmenter
from stable_tiles.evaluate.trace_table import TraceOptions
from stable_tiles.region import Region
from stable_tiles.settings import load_settings
from stable_tiles.train.run import TrainOptions
from stable_tiles.translate.options import TranslateOptions

SMALL = (
    "support.network.frames=31",
    "support.network.widths=[16, 32]",
    "support.network.branch=16",
    "support.network.head=[16, 8]",
    "data.patch=48",
    "data.batch=4",
)
"""Of the settings of `support`, what makes it learn in minutes on one core."""

SHOWN = 6
"""Traces that are drawn: those that vary most."""


def label_cells(movie: Path, out: Path, diameter: float) -> int:
    """Number the cells in the mean of all frames; returns how many there are."""
    image = open_image(movie)
    t, _, _, y, x = image.shape
    mean = read_plane(image, Region((0, 0, 0, 0), (t, 1, y, x)), 0)
    labels = fit_segmenter(SegmentOptions(), diameter, [mean])(mean)
    tifffile.imwrite(out.with_suffix(".tif"), labels.astype(np.uint16))
    convert(out.with_suffix(".tif"), out)
    return int(labels.max())


def draw_traces(table: Path, picture: Path) -> None:
    """The traces that vary most, above each other."""
    with table.open() as file:
        names = file.readline().strip().split(",")
    rows = np.loadtxt(table, delimiter=",", skiprows=1)
    cells = [k for k, name in enumerate(names) if name.startswith("label_")]
    most = sorted(cells, key=lambda k: -np.nanstd(rows[:, k]))[:SHOWN]
    figure = Figure(figsize=(9, 1.2 * len(most)), layout="constrained", dpi=110)
    panels = figure.subplots(len(most), 1, sharex=True, squeeze=False)[:, 0]
    for axis, k in zip(panels, most, strict=True):
        axis.plot(rows[:, 1 if names[1] == "time_s" else 0], rows[:, k], linewidth=0.8)
        axis.set_ylabel(f"cell {names[k].removeprefix('label_')}")
    panels[-1].set_xlabel("seconds" if names[1] == "time_s" else "frame")
    figure.supylabel("dF/F0")
    figure.savefig(picture)


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """All steps, one after the other."""
    out: Path = asked.out
    out.mkdir(parents=True)
    movie, denoised, labels = (out / f"{n}.zarr" for n in ("movie", "denoised", "labels"))
    convert(asked.movie, movie)
    settings = load_settings("support", [*SMALL, f"training.steps={asked.steps}", *asked.overrides])
    trained = train(settings, [movie], [], out / "run", TrainOptions(device=asked.device))
    report = denoise(movie, denoised, TranslateOptions(model=out / "run"))
    measured = denoised
    if asked.translator:
        measured = out / "translated.zarr"
        translate(denoised, measured, TranslateOptions(model=asked.translator))
    cells = label_cells(measured, labels, asked.diameter)
    options = TraceOptions(relative=True, baseline_window=asked.baseline)
    table = evaluate_traces(measured, labels, out / "traces.csv", options)
    draw_traces(out / "traces.csv", out / "traces.png")
    shown = {"raw": movie, "denoised": denoised}
    shown |= {"translated": measured} if asked.translator else {}
    side_by_side(out / "movie.png", [open_image(path) for path in shown.values()], tuple(shown))
    return {
        "frames": table.frames,
        "cells": cells,
        "training_seconds": trained.seconds,
        "denoising_seconds": report.seconds,
        "trace_seconds": table.seconds,
    }


def main() -> None:
    """One movie, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("movie", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--translator", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--diameter", type=float, default=16.0)
    parser.add_argument("--baseline", type=int, default=100)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    print(json.dumps(run(parser.parse_args()), indent=1))


if __name__ == "__main__":
    main()
