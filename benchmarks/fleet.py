"""How many GPUs one scheduler and one storage keep busy: a simulation from measured times.

    python benchmarks/fleet.py --region-seconds 2 --storage-mb 2000

Every GPU reads, translates and writes regions as `stable_tiles.translate.task`
does: at most three in work, one of them in the network.  All share one storage,
which serves requests in turn at its rate, and one process: it holds the
scheduler, which hands the regions out, and seals each slide after its last
region.  The defaults are figures that other benchmarks of this folder print
(``docs/scale.md`` says which), except ``--region-seconds``, the time of a region
in the network of one GPU, and ``--storage-mb``, which are to be given.

Prints one JSON document: for each number of GPUs how busy GPUs, storage
and that process are, and what a cohort of slides takes; and from how many GPUs
on storage or process would be the limit.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

DEPTH = 3
"""Regions in work at a time on one GPU."""

ROUNDS = 60
"""Regions of each GPU that are simulated."""


@dataclass(frozen=True)
class Times:
    """Seconds that one region takes of each server.

    Parameters
    ----------
    network : float
        Of its GPU.
    read, write : float
        Of the storage.
    schedule, seal : float
        Of the process that was asked: to hand it out, and its share of sealing its slide.
    """

    network: float
    read: float
    write: float
    schedule: float
    seal: float

    def limits(self) -> dict[str, float]:
        """From how many GPUs on each server is busy all the time."""
        served = {"storage": self.read + self.write, "process": self.schedule + self.seal}
        return {name: self.network / seconds for name, seconds in served.items()}


def main() -> None:
    """Simulate each number of GPUs, and print."""
    asked = _arguments()
    pixels, side = asked.slide_gigapixels * 1e9, asked.region_side
    regions = pixels / side**2
    stored = side**2 * 3 / 1e6 / asked.compression
    times = Times(
        network=asked.region_seconds,
        read=stored / asked.storage_mb,
        write=stored * 4 / 3 / asked.storage_mb,
        schedule=asked.schedule_ms / 1e3,
        seal=asked.seal_seconds / regions,
    )
    rows = [_row(gpus, times, regions * asked.slides) for gpus in asked.gpus]
    told = {**vars(asked), "regions_a_slide": regions, "limits_gpus": times.limits()}
    print(json.dumps({**told, "rows": rows}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gpus", type=int, nargs="+", default=[8, 64, 512])
    parser.add_argument("--region-seconds", type=float, required=True, help="of one GPU")
    parser.add_argument("--storage-mb", type=float, required=True, help="MB/s, read and written")
    parser.add_argument("--compression", type=float, default=2.0, help="pixels to stored bytes")
    parser.add_argument("--schedule-ms", type=float, default=3.5, help="CPU time of a region")
    parser.add_argument("--seal-seconds", type=float, default=1.5, help="of a slide")
    parser.add_argument("--region-side", type=int, default=4096, help="pixels")
    parser.add_argument("--slide-gigapixels", type=float, default=5.0)
    parser.add_argument("--slides", type=int, default=100_000)
    return parser.parse_args()


def _row(gpus: int, times: Times, regions: float) -> dict[str, Any]:
    seconds, total = simulate(gpus, times)
    busy = {
        "gpus": total * times.network / gpus,
        "storage": total * (times.read + times.write),
        "process": total * (times.schedule + times.seal),
    }
    rate = total / seconds
    shares = {name: round(used / seconds, 3) for name, used in busy.items()}
    return {"gpus": gpus, "regions_a_second": rate, "busy": shares, "days": regions / rate / 86400}


def simulate(gpus: int, times: Times) -> tuple[float, int]:
    """Seconds in which so many GPUs make their regions, and how many regions.

    Events are served in the order of their times.  A region passes, in turn,
    the process, the storage, its GPU, the storage, and the process again; each
    of these serves one at a time, and a GPU has at most `DEPTH` regions between
    the first and the last.
    """
    stages = ("process", "storage", "gpu", "storage", "process")
    seconds = (times.schedule, times.read, times.network, times.write, times.seal)
    free: dict[tuple[str, int], float] = {}
    left = [ROUNDS - DEPTH] * gpus
    events = [(0.0, 0, gpu) for gpu in range(gpus) for _ in range(DEPTH)]
    heapify(events)
    last = 0.0
    while events:
        now, stage, gpu = heappop(events)
        server = stages[stage], gpu if stages[stage] == "gpu" else 0
        end = max(now, free.get(server, 0.0)) + seconds[stage]
        free[server] = last = end
        if stage + 1 < len(stages):
            heappush(events, (end, stage + 1, gpu))
        if stage == len(stages) - 2 and left[gpu]:
            left[gpu] -= 1
            heappush(events, (end, 0, gpu))
    return max(free.values()) if free else last, ROUNDS * gpus


if __name__ == "__main__":
    main()
