"""What very many regions cost their scheduler, and what a second worker gains.

    python benchmarks/scale.py regions --sides 100 316 1000
    python benchmarks/scale.py workers --size 8192

``regions``: planes of so many regions along y and x, made by two worker
processes with a network that sees one pixel, over a source without files
(`virtual.py`).  Everything else is as in ``translate``: the plan, the orders,
Dask, a receipt a region on disk, and the check of all receipts at the end.
Client and scheduler share one process; its CPU time for each region, its memory
on the way, and the wall time for each region are printed.

``workers``: the same plane translated by one and by two worker processes of one
thread each.

Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from scenes import make_model, make_store, save_random
from virtual import GREY, SIDE, make_mock, make_virtual

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
    workers.add_argument("--size", type=int, default=8192, help="side of the plane, pixels")
    workers.add_argument("--shard", type=int, default=2048, help="side of a region, pixels")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.kind == "regions":
            rows = [_scheduled(Path(name), side) for side in asked.sides]
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
    """One plane by one worker and by two; time from the first region's begin on."""
    make_model(folder / "run", (8, 16, 32), "none")
    make_store(folder / "a.zarr", size)
    rows = []
    for workers in (1, 2):
        options = TranslateOptions(
            model=folder / "run",
            hardware=Hardware(gpus=0, workers=workers),
            store=StoreOptions(shard=shard),
            overwrite=True,
        )
        report = translate(folder / "a.zarr", folder / "b.zarr", options)
        kept = ("regions", "seconds", "forward_seconds", "scheduler_seconds")
        rows.append({"workers": workers, **{name: getattr(report, name) for name in kept}})
    gain = rows[0]["seconds"] / rows[1]["seconds"]
    return [*rows, {"times_as_fast": gain}]


if __name__ == "__main__":
    main()
