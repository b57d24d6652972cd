"""Hours of recording: denoise one to the end, killed once on the way; measure the traces of one.

    python benchmarks/recordings.py make OUT --frames 20000 --size 512
    python benchmarks/recordings.py denoise OUT --kill-after 600
    python benchmarks/recordings.py traces OUT

`make` streams a movie of cells with calcium events and Poisson noise, two photons
a pixel on average.  `denoise` trains a small denoiser on it, starts `stable-tiles
denoise`, ends it once by SIGKILL, resumes it, and looks at what came out: how much
neighbouring frames differ where two regions meet in time and where none do, and
whole frames against the same frames made without tiles or regions.  `traces`
writes the mean of every label in every frame, and in the same run decodes the
same chunks and does nothing else, in turn.  Each prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import poisson

from stable_tiles import evaluate_traces, open_image
from stable_tiles.axes import Axes
from stable_tiles.evaluate.trace_table import TraceOptions
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel
from stable_tiles.image.shards import region_files
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.store import Image
from stable_tiles.image.writer import create_store
from stable_tiles.intensity import Histogram
from stable_tiles.model import load_model
from stable_tiles.networks.support import SupportNetwork
from stable_tiles.region import Region
from stable_tiles.settings import load_settings
from stable_tiles.tiling.frames import Frames
from stable_tiles.train.run import TrainOptions, train
from stable_tiles.usage import peak_rss_bytes

TINY = (
    "support.network.frames=31",
    "support.network.widths=[2]",
    "support.network.branch=1",
    "support.network.head=[2]",
    "data.patch=64",
    "data.batch=4",
    "training.checkpoint_every=100000",
    "training.preview_every=100000",
)
"""As small as denoisers come: 20,000 frames of 512 x 512 take one core half an hour or more."""

GAIN, OFFSET = 50, 100
"""Counts a photon, and of darkness."""

STEPS = 256
"""Brightnesses for which the quantiles of Poisson's distribution are tabulated."""

_CLI = (sys.executable, "-c", "from stable_tiles_cli.main import main; main()")


class Scene:
    """Cells, each with events of its own, on a smooth background."""

    def __init__(self, frames: int, size: int, cells: int, photons: float) -> None:
        rng = np.random.default_rng(0)
        self.labels = _discs(size, cells)
        traces = np.ones((frames, cells + 1), np.float32)
        for t in range(1, frames):
            fires = 2 * (rng.random(cells) < 0.005)
            traces[t, 1:] = np.minimum(1 + 0.95 * (traces[t - 1, 1:] - 1) + fires, 5)
        smooth = gaussian_filter(rng.random((size, size)), size / 16, mode="wrap")
        smooth = (smooth - smooth.min()) / np.ptp(smooth)
        picture = (0.5 + smooth) * (1 + (self.labels > 0))
        average = (picture * traces.mean(axis=0)[self.labels]).mean()
        self._traces, self._picture = traces, (picture * photons / average).astype(np.float32)
        most = 5 * float(self._picture.max())
        self._fineness = (STEPS - 1) / most
        means, chances = np.arange(STEPS) / self._fineness, (np.arange(4096) + 0.5) / 4096
        self._quantiles = poisson.ppf(chances, means[:, None]).astype(np.uint16)

    def frame(self, t: int) -> npt.NDArray[np.uint16]:
        """Counts (y, x) of a frame, the same each time."""
        mean = self._picture * self._traces[t][self.labels]
        level = (mean * self._fineness).astype(np.intp)
        chance = np.random.default_rng((1, t)).integers(0, 4096, mean.shape, np.uint16)
        return self._quantiles[level, chance] * np.uint16(GAIN) + np.uint16(OFFSET)


def _discs(size: int, cells: int) -> npt.NDArray[np.uint16]:
    """As many discs, numbered, in rows and columns."""
    columns = int(np.ceil(np.sqrt(cells)))
    pitch = size / columns
    row, column = (np.indices((size, size)) / pitch).astype(int)
    y, x = (np.indices((size, size)) + 0.5) % pitch - pitch / 2
    number = row * columns + column + 1
    inside = (np.hypot(y, x) < 0.4 * pitch) & (number <= cells)
    return np.where(inside, number, 0).astype(np.uint16)


def make(asked: argparse.Namespace) -> dict[str, Any]:
    """Write the movie and its labels."""
    began = time.perf_counter()
    scene = Scene(asked.frames, asked.size, asked.labels, asked.photons)
    shape = (asked.frames, 1, 1, asked.size, asked.size)
    labels = scene.labels[None, None, None]
    _write(_labels_of(asked.movie), (1, *shape[1:]), lambda _: labels, labels=True)
    mean = _write(
        asked.movie, shape, lambda t: scene.frame(t)[None, None, None], distinct=asked.distinct
    )
    return {
        "shape": shape,
        "photons_a_pixel": (mean - OFFSET) / GAIN,
        "distinct_regions": asked.distinct,
        "seconds": time.perf_counter() - began,
    }


def _labels_of(movie: Path) -> Path:
    return movie.with_suffix(".labels.zarr")


def _write(
    path: Path,
    shape: tuple[int, ...],
    frame: Callable[[int], npt.NDArray[np.uint16]],
    *,
    labels: bool = False,
    distinct: int | None = None,
) -> float:
    """Write a store frame by frame; returns the mean of all pixels.

    Of many regions only the first `distinct` are made: the files of the others
    are links to theirs, so that hours of recording cost minutes and little disk.
    """
    layout = plan_layout(shape, 2, shard=512)
    axes = Axes.named("tyx", {"t": 1 / 30}, {"t": "second"})
    spec = ImageSpec(axes, layout, "uint16", (Channel("GCaMP"),), labels=labels)
    writer = create_store(path, spec, {})
    histogram, total = Histogram(1, "uint16"), 0.0
    first, pixels = layout.regions()[:distinct], 0
    for k, region in enumerate(layout.regions()):
        if k >= len(first) and region.shape == first[0].shape:
            _link(writer.store, spec, first[k % len(first)], region)
            continue
        block = np.concatenate([frame(t) for t in range(region.start[0], region.stop[0])])
        writer.write(region, block)
        histogram.update(block)
        total, pixels = total + float(block.sum(dtype=np.float64)), pixels + block.size
    stored = {} if labels else {"intensity": {"percentiles": histogram.stored()}}
    writer.seal(path, {"kind": "labels" if labels else "source", **stored})
    return total / pixels


def _link(store: Path, spec: ImageSpec, made: Region, same: Region) -> None:
    for old, new in zip(region_files(spec, made), region_files(spec, same), strict=True):
        (store / new).parent.mkdir(parents=True, exist_ok=True)
        os.link(store / old, store / new)


def denoise(asked: argparse.Namespace) -> dict[str, Any]:
    """Train, denoise with a kill on the way, and look at what came out."""
    sets = [*TINY, *asked.overrides, f"training.steps={asked.steps}"]
    run, target = asked.out / "run", asked.out / "denoised.zarr"
    if not run.exists():
        train(load_settings("support", sets), [asked.movie], [], run, TrainOptions(device="cpu"))
    words = ["denoise", str(asked.movie), str(target), "--model", str(run), "--gpus", "0"]
    words += ["--workers", str(asked.workers), "--dtype", asked.dtype, "--json"]
    parts = [_run(words, asked.kill_after)] if asked.kill_after else []
    parts.append(_run([*words, "--resume"], None) if parts else _run(words, None))
    movie, made = open_image(asked.movie), open_image(target)
    pixels = float(np.prod(movie.shape))
    seconds = sum(part["seconds"] for part in parts)
    network = load_model(run).settings.model_dump()
    return {
        "shape": movie.shape,
        "network": {k: network[k] for k in ("frames", "widths", "branch", "head")},
        "parts": parts,
        "seconds": seconds,
        "megapixels_per_second": pixels / seconds / 1e6,
        "megapixels_per_cpu_second": pixels / sum(p["cpu_seconds"] for p in parts) / 1e6,
        "differences": _differences(made, asked.checked),
        "untiled": _untiled(movie, made, run, asked.checked),
    }


def _run(words: list[str], kill_after_s: float | None) -> dict[str, Any]:
    """A command, perhaps ended by SIGKILL: what it took, and what it said."""
    began = time.perf_counter()
    process = subprocess.Popen([*_CLI, *words], stdout=subprocess.PIPE)
    if kill_after_s:
        time.sleep(kill_after_s)
        os.kill(process.pid, signal.SIGKILL)  # Popen would take its status, which wait4 needs
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"stable-tiles {' '.join(words)} ended with {process.returncode}")
    report = json.loads(said) if process.returncode == 0 else {}
    return {
        "exit": process.returncode,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        # Before it becomes the command, the process has the memory of this one.
        "peak_mib_at_most": used.ru_maxrss / 1024,
        **{k: report[k] for k in ("regions", "resumed_regions") if k in report},
    }


def _differences(made: Image, most: int) -> dict[str, Any]:
    """How much a frame differs from the one before, at borders of regions and elsewhere.

    `mean_abs` is the mean of the pixels' absolute differences, `step` the
    absolute difference of the frames' means, over as many pairs each.
    """
    frames, shards = made.shape[0], made.levels[0].array.shards
    assert shards is not None
    rng = np.random.default_rng(0)
    borders = np.arange(shards[0], frames, shards[0])
    inside = np.setdiff1d(np.arange(1, frames), borders)
    found: dict[str, Any] = {"frames_a_region": shards[0]}
    for name, places in (("at_borders", borders), ("elsewhere", inside)):
        some = rng.choice(places, min(len(places), most), replace=False)
        pairs = [_frames(made, t - 1, t + 1) for t in map(int, some)]
        steps = [float(after.mean() - before.mean()) for before, after in pairs]
        found[name] = {
            "pairs": len(some),
            "mean_abs": float(np.mean([np.abs(b - a).mean() for a, b in pairs])),
            "step": float(np.mean(np.abs(steps))),
        }
    return found


def _frames(image: Image, start: int, stop: int) -> npt.NDArray[np.float64]:
    """Frames (t, y, x)."""
    box = Region((start, 0, 0, 0), (stop, 1, *image.shape[3:]))
    return image.read(box)[:, 0, 0].astype(np.float64)


def _untiled(movie: Image, made: Image, run: Path, most: int) -> dict[str, Any]:
    """Random frames against those of the network alone, in one piece."""
    model = load_model(run)
    network = model.network.eval()
    assert isinstance(network, SupportNetwork)
    map_ = movie.normalizer(model.domains["a"].normalization)
    around = Frames(movie.shape[0], model.settings.frames_read // 2)
    chosen = np.random.default_rng(2).choice(movie.shape[0], min(most, 8), replace=False)
    worst = 0.0
    for t in map(int, chosen):
        start, stop = around.reads(t, t + 1)
        box = Region((start, 0, 0, 0), (stop, 1, *movie.shape[3:]))
        seen = map_.normalize(movie.read(box)[:, :, 0])[around.windows(t, t + 1)[0] - start]
        with torch.inference_mode():
            whole = map_.denormalize(network.translate(torch.from_numpy(seen[None])))[0, 0].numpy()
        there = _frames(made, t, t + 1)[0]
        if made.dtype.kind == "u":
            limit = np.iinfo(made.dtype).max
            whole = np.rint(whole).clip(0, limit)
        worst = max(worst, float(np.abs(there - whole).max()))
    return {"frames": sorted(chosen.tolist()), "largest_difference": worst}


def traces(asked: argparse.Namespace) -> dict[str, Any]:
    """Traces and plain decoding, in turn."""
    movie, rows = open_image(asked.movie), []
    labels, table = _labels_of(asked.movie), asked.out / f"traces{asked.table}"
    options = TraceOptions(overwrite=True, relative=asked.dff)
    for _ in range(asked.repeats):
        rows.append({"what": "decoding", **_timed(lambda: _decode(movie))})
        write = _timed(lambda: evaluate_traces(asked.movie, labels, table, options))
        rows.append({"what": "traces", **write})
    return {
        "shape": movie.shape,
        "rows": rows,
        "table_bytes": table.stat().st_size,
        "peak_mib": peak_rss_bytes() / 2**20,
    }


def _decode(movie: Image) -> None:
    for region in movie.blocks(1 << 22):
        movie.read(region)


def _timed(work: Callable[[], object]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def main() -> None:
    """Do as asked, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["make", "denoise", "traces"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--movie", type=Path)
    parser.add_argument("--frames", type=int, default=20000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--photons", type=float, default=2.0)
    parser.add_argument("--distinct", type=int, help="regions that are made; others are links")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--dtype", default="uint16", choices=["uint16", "float32"])
    parser.add_argument("--workers", type=int, default=0, help="processes")
    parser.add_argument("--kill-after", type=float, help="seconds")
    parser.add_argument("--checked", type=int, default=200, help="pairs of frames at most")
    parser.add_argument("--table", default=".csv", choices=[".csv", ".parquet"])
    parser.add_argument("--dff", action="store_true")
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    asked.movie = asked.movie or asked.out / "movie.zarr"
    found = {"make": make, "denoise": denoise, "traces": traces}[asked.what](asked)
    print(json.dumps({"what": asked.what, **found, "cores": os.cpu_count()}, indent=1))


if __name__ == "__main__":
    main()
