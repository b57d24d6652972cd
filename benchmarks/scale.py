"""What very many regions cost their scheduler, and what a second worker gains.

    python benchmarks/scale.py regions --sides 100 316 1000
    python benchmarks/scale.py workers --size 6144
    python benchmarks/scale.py seal --size 65536

``regions``: planes of so many regions along y and x, made by two worker
processes with a network that sees one pixel, over a source without files
(`virtual.py`).  Everything else is as in ``translate``: the plan, the orders,
Dask, a receipt a region on disk, and the check of all receipts at the end.
Client and scheduler share one process; its CPU time for each region, its memory
on the way, and the wall time for each region are printed.

``workers``: the same plane translated by one worker process on one core and by
two on two; regions a second are counted from the first region's end to the
last's, seconds from the start of the command.  The workers' CPU seconds say what
the second one gained where other work leaves them less than a core each.

``seal``: what the process that was asked does after the last region of a slide:
the levels that no region owns, of an RGB slide of which only the level before
them is there.

Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zarr
from scenes import NAMES, make_model, make_store, save_random, tissue
from virtual import GREY, SIDE, make_mock, make_virtual

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import RGB_COLORS, Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import create_store
from stable_tiles.region import Region
from stable_tiles.settings import NetworkSettings
from stable_tiles.translate.execute import crew
from stable_tiles.translate.options import Hardware, StoreOptions, TranslateOptions
from stable_tiles.translate.output import sealing
from stable_tiles.translate.prepare import prepare
from stable_tiles.translate.running import Orders, Running
from stable_tiles.translate.verb import translate

LOOKS = 10
"""How often memory is looked at on the way."""


def main() -> None:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    kinds = parser.add_subparsers(dest="kind", required=True)
    regions = kinds.add_parser("regions")
    regions.add_argument("--sides", type=int, nargs="+", default=[100, 316], help="regions a side")
    workers = kinds.add_parser("workers")
    workers.add_argument("--size", type=int, default=6144, help="side of the plane, pixels")
    workers.add_argument("--shard", type=int, default=1024, help="side of a region, pixels")
    seal = kinds.add_parser("seal")
    seal.add_argument("--size", type=int, default=65536, help="side of the slide, pixels")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.kind == "regions":
            rows = [_scheduled(Path(name), side) for side in asked.sides]
        elif asked.kind == "seal":
            rows = [_sealed(Path(name), asked.size)]
        else:
            rows = _shared(Path(name), asked.size, asked.shard)
    print(json.dumps({**vars(asked), "rows": rows}))


def _scheduled(folder: Path, side: int) -> dict[str, Any]:
    """All regions of a plane, by a network that takes no time."""
    make_virtual(folder / f"{side}.zarr", side)
    if not (folder / "run").exists():
        tiny = NetworkSettings(widths=(2, 4), features=2)
        save_random(folder / "run", tiny, {"a": GREY, "b": GREY})
    options = TranslateOptions(
        model=folder / "run",
        hardware=Hardware(gpus=0, workers=2),
        store=StoreOptions(chunk=SIDE, shard=SIDE),
    )
    clock = _Clock()
    work = prepare(folder / f"{side}.zarr", None, options)
    row = {"regions": side**2, "planning": clock.lap()}
    image = Running(work, options)
    with crew(image.hardware, work.resources) as workers:
        image.begin(workers, lambda *_: None)
        row["starting"] = clock.lap()
        row["memory_mb"] = _run(workers, image)
        row["running"] = clock.lap()
    clock.lap()
    with sealing(work) as clipped:
        assert clipped == 0
        row["checking"] = clock.lap()
    busy = image.tally.forward_seconds
    image.close()
    cost = {f"{what}_ms_a_region": row["running"][what] * 1e3 / side**2 for what in ("cpu", "wall")}
    return {**row, **cost, "network_seconds": busy}


def _run(workers: Any, image: Running) -> list[float]:
    """Make all regions; this process's memory on the way, MB."""
    orders, own, looks = Orders([image]), psutil.Process(), []
    done, step = 0, max(1, len(orders) // LOOKS)
    for made in workers(make_mock, orders):
        if made is None:
            continue
        image.count(made[1])
        done += 1
        if done % step == 0:
            looks.append(own.memory_info().rss / 1e6)
            print(f"{done} of {len(orders)}, {looks[-1]:.0f} MB", file=sys.stderr, flush=True)
    return looks


class _Clock:
    """Wall and CPU seconds of this process since the last lap."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self) -> dict[str, float]:
        """Seconds of the lap that ends now."""
        wall, cpu = self._wall, self._cpu
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return {"wall": self._wall - wall, "cpu": self._cpu - cpu}


def _shared(folder: Path, size: int, shard: int) -> list[dict[str, Any]]:
    """One plane by one worker on one core, and by two on two."""
    make_model(folder / "run", (8, 16, 32), "none")
    make_store(folder / "a.zarr", size)
    cores, rows = sorted(os.sched_getaffinity(0))[:2], []
    for workers in (1, 2):
        os.sched_setaffinity(0, cores[:workers])
        options = TranslateOptions(
            model=folder / "run",
            hardware=Hardware(gpus=0, workers=workers),
            store=StoreOptions(shard=shard),
            overwrite=True,
        )
        ends: list[float] = []
        progress, before = partial(_note, ends), _cpu_of_workers()
        report = translate(folder / "a.zarr", folder / "b.zarr", options, progress)
        rate = (len(ends) - 1) / (ends[-1] - ends[0])
        kept = ("regions", "seconds", "forward_seconds", "scheduler_seconds")
        told = {name: getattr(report, name) for name in kept}
        cpu = _cpu_of_workers() - before
        rows.append({"workers": workers, **told, "regions_a_second": rate, "workers_cpu": cpu})
    gains = {
        "times_as_fast": rows[0]["seconds"] / rows[1]["seconds"],
        "times_as_many_regions_a_second": rows[1]["regions_a_second"] / rows[0]["regions_a_second"],
    }
    return [*rows, gains]


def _cpu_of_workers() -> float:
    """CPU seconds of the processes that this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _note(ends: list[float], what: str, done: int, total: int) -> None:
    """Note when a region has ended."""
    if what == "regions" and done > len(ends):
        ends.append(time.perf_counter())


def _sealed(folder: Path, size: int) -> dict[str, Any]:
    """A slide whose regions are done, sealed."""
    layout = plan_layout((1, 3, 1, size, size), 1, rgb=True)
    channels = tuple(Channel(*pair) for pair in zip(NAMES, RGB_COLORS, strict=True))
    spec = ImageSpec(Axes.named("cyx"), layout, "uint8", channels)
    writer = create_store(folder / "slide.zarr", spec, {})
    level = layout.levels[layout.owned - 1]
    array = zarr.open_group(str(writer.store))[str(layout.owned - 1)]
    height, width = (level.shards or level.chunks)[3:]
    block = tissue(np.random.default_rng(0), height, width)
    for area in Region.whole(level.shape[3:]).divide((height, width)):
        rows, columns = area.shape
        array[(slice(None), *area.slices)] = block[:, :rows, :columns]
    clock = _Clock()
    writer.seal(folder / "slide.zarr", {})
    return {"gigapixels": size**2 / 1e9, "level_before": level.shape[3:], "sealing": clock.lap()}


if __name__ == "__main__":
    main()
