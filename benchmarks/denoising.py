"""What denoising is worth: on simulated movies with known truth, and on real frames held out.

    python benchmarks/denoising.py simulated OUT --steps 600
    python benchmarks/denoising.py real OUT --movie MOVIE.tif --steps 600

Simulated: cells with calcium events, whose expected photons are known (a mean
of two a pixel by default), and their shot noise.  PSNR of the whole movie
against the expectation, Pearson's r of every cell's trace with the true one,
and what becomes of flashes of a single frame: the movie is made twice, with
the flashes and without, the noise elsewhere alike, and how much the cell's trace
differs at the flash and around it is told in shares of the flash's own height.
Beside stand the median and the mean of five frames.

Real: trained on the first two thirds of the movie, measured on the last third.
There is no truth, but every method predicts a pixel's noisy value without
having seen it: the denoiser by its blind spot, the median and the mean from
the two frames before and the two behind, the raw movie by the frame before.
The noise of the pixel is in the error of all of them alike.

Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from stable_tiles import convert, open_image
from stable_tiles.region import Region
from stable_tiles.settings import load_settings
from stable_tiles.simulate.calcium import DETECTOR, Calcium
from stable_tiles.simulate.plan import SimulateOptions, plan
from stable_tiles.train.run import TrainOptions, train
from stable_tiles.translate.denoise import denoise
from stable_tiles.translate.options import Hardware, TranslateOptions

Movie = npt.NDArray[np.float32]

SMALL = (
    "support.network.frames=31",
    "support.network.widths=[16, 32]",
    "support.network.branch=16",
    "support.network.head=[16, 8]",
    "data.patch=48",
    "data.batch=4",
    "training.checkpoint_every=100000",
    "training.preview_every=100000",
)
"""A denoiser that learns in minutes on one core, in place of the paper's."""

FLASH = 3.0
"""Brightness of a flash of one frame, in units of the cell's own."""

APART = 8
"""Frames from one place for a flash to the next."""


def simulated(out: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """PSNR, traces and bleeding on a movie whose truth is known."""
    truth, labels = _truth(asked)
    flashed, flashes = _with_flashes(truth, labels, asked.flashes)
    rng = np.random.default_rng(asked.seed)
    quiet = rng.poisson(truth).astype(np.uint16)
    noisy = np.where(flashed > truth, rng.poisson(flashed), quiet).astype(np.uint16)
    movies = {"noisy": noisy, "quiet": quiet}
    (denoised, unflashed), cost = _denoised(out, noisy, movies, asked)
    pairs = {"denoised": (denoised, unflashed)}
    for name, smooth in (("median of 5", np.median), ("mean of 5", np.mean)):
        pairs[name] = (_smoothed(noisy, smooth), _smoothed(quiet, smooth))
    heights = _traces(flashed - truth, labels)
    shares = {
        name: _shares(heights, _traces(there, labels) - _traces(without, labels), flashes)
        for name, (there, without) in pairs.items()
    }
    traces = {
        name: _traces(movie, labels)
        for name, movie in (("truth", flashed), ("raw", noisy), ("denoised", denoised))
    }
    agreement = {
        name: [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(traces["truth"].T, t.T, strict=True)]
        for name, t in traces.items()
        if name != "truth"
    }
    psnr = {name: _psnr(movie, flashed) for name, movie in (("raw", noisy), ("denoised", denoised))}
    return {
        "photons_a_pixel": float(truth.mean()),
        "psnr_db": psnr,
        "psnr_gain_db": psnr["denoised"] - psnr["raw"],
        "trace_pcc_median": {name: float(np.median(v)) for name, v in agreement.items()},
        "trace_pcc_5th_percentile": {
            name: float(np.percentile(v, 5)) for name, v in agreement.items()
        },
        "cells": traces["truth"].shape[1],
        "flashes": len(flashes),
        "flash_shares": shares,
        **cost,
    }


def real(out: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Error of predicted pixels in frames that were not trained on."""
    movie = tifffile.imread(asked.movie)[: asked.frames or None]
    cut = 2 * len(movie) // 3
    (denoised,), cost = _denoised(out, movie[:cut], {"measured": movie[cut:]}, asked)
    seen = movie[cut:].astype(np.float32)
    around = np.stack([seen[k : len(seen) - 4 + k] for k in (0, 1, 3, 4)])
    guesses = {
        "raw (frame before)": seen[1:-3],
        "median of 4 around": np.median(around, axis=0),
        "mean of 4 around": around.mean(axis=0),
        "denoised": denoised[2:-2],
    }
    errors = {n: float(np.square(g - seen[2:-2]).mean()) for n, g in guesses.items()}
    return {"held_out_frames": len(seen) - 4, "mean_squared_error": errors, **cost}


def _truth(asked: argparse.Namespace) -> tuple[Movie, npt.NDArray[np.integer]]:
    """Expected photons (t, y, x), and the numbers of the cells (y, x)."""
    bright = replace(DETECTOR, photons=5000.0, gain=1.0, offset=0.0, read_noise=0.0)
    task = Calcium(camera=bright)
    options = SimulateOptions(asked.size, 1, asked.seed, frames=asked.frames or 300)
    outputs = {str(o.path.parent): o for o in plan(task, options)}
    t, _, _, y, x = outputs["test/A"].shape
    box = Region((0, 0, 0, 0), (t, 1, y, x))
    movie = outputs["test/A"].scene.render(box, "a")[:, 0, 0].astype(np.float32)
    labels = outputs["test/labels"].scene.render(Region((0, 0, 0, 0), (1, 1, y, x)), "labels")
    return movie * np.float32(asked.photons / movie.mean()), labels[0, 0, 0]


def _with_flashes(
    truth: Movie, labels: npt.NDArray[np.integer], many: int
) -> tuple[Movie, list[tuple[int, int]]]:
    """The movie with bright frames in every fourth cell, and the column and frame of each."""
    movie, flashes = truth.copy(), []
    numbers = np.unique(labels[labels > 0])
    rng = np.random.default_rng(1)
    for column, number in list(enumerate(numbers))[::4]:
        for t in rng.choice(np.arange(20, len(movie) - 20, APART), many, replace=False):
            movie[t, labels == number] *= FLASH
            flashes.append((column, int(t)))
    return movie, flashes


def _smoothed(movie: npt.NDArray[Any], by: Callable[..., Any]) -> Movie:
    """The median, or mean, of each frame and the two before and behind it."""
    padded = np.pad(movie, ((2, 2), (0, 0), (0, 0)), mode="reflect")
    smooth: Movie = by([padded[k : k + len(movie)] for k in range(5)], axis=0).astype(np.float32)
    return smooth


def _denoised(
    out: Path,
    learnt: npt.NDArray[Any],
    measured: dict[str, npt.NDArray[Any]],
    asked: argparse.Namespace,
) -> tuple[list[Movie], dict[str, Any]]:
    """Train on one movie and denoise others: what became of them, and the cost."""
    stores = {}
    for name, movie in {"learnt": learnt, **measured}.items():
        tifffile.imwrite(out / f"{name}.tif", movie, metadata={"axes": "TYX"})
        stores[name] = out / f"{name}.zarr"
        convert(out / f"{name}.tif", stores[name])
    wanted = [*SMALL, *asked.overrides, f"training.steps={asked.steps}"]
    settings = load_settings("support", [*wanted, f"training.seed={asked.seed}"])
    trained = train(settings, [stores["learnt"]], [], out / "run", TrainOptions(device="cpu"))
    options = TranslateOptions(model=out / "run", hardware=Hardware(gpus=0, workers=0))
    made = []
    for name in measured:
        report = denoise(stores[name], out / f"{name}.denoised.zarr", options)
        image = open_image(out / f"{name}.denoised.zarr")
        t, _, _, y, x = image.shape
        made.append(image.read(Region((0, 0, 0, 0), (t, 1, y, x)))[:, 0, 0])
    cost = {
        "steps": trained.steps,
        "parameters": trained.parameters,
        "training_seconds": trained.seconds,
        "denoising_seconds": report.seconds,
        "megapixels_per_second": report.megapixels_per_second,
    }
    return made, cost


def _psnr(movie: npt.NDArray[Any], truth: Movie) -> float:
    error = float(np.square(movie.astype(np.float64) - truth).mean())
    return 10 * float(np.log10(float(np.ptp(truth)) ** 2 / error))


def _traces(movie: npt.NDArray[Any], labels: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Means (frame, cell)."""
    numbers, inverse = np.unique(labels, return_inverse=True)
    which = inverse.ravel()
    areas = np.bincount(which)
    rows = [np.bincount(which, frame.ravel().astype(np.float64)) / areas for frame in movie]
    return np.array(rows)[:, numbers > 0]


def _shares(
    true: npt.NDArray[np.float64], made: npt.NDArray[np.float64], flashes: list[tuple[int, int]]
) -> dict[str, float]:
    """What a flash makes of its own frame and of those around it, in shares of its true height.

    Both traces (frame, cell) are what is left when those without flashes are taken away.
    """
    places = {"two before": -2, "before": -1, "own": 0, "behind": 1, "two behind": 2}
    heights = np.array([true[t, column] for column, t in flashes])
    return {
        name: float(np.mean([made[t + k, column] for column, t in flashes] / heights))
        for name, k in places.items()
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["simulated", "real"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--movie", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--photons", type=float, default=2.0)
    parser.add_argument("--flashes", type=int, default=1, help="in every fourth cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    asked = parser.parse_args()
    asked.out.mkdir(parents=True)
    began = time.perf_counter()
    found = {"simulated": simulated, "real": real}[asked.what](asked.out, asked)
    found |= {"seconds": time.perf_counter() - began, "cores": os.cpu_count()}
    print(json.dumps({"what": asked.what, **found}, indent=1))


if __name__ == "__main__":
    main()
