"""Translate end to end, against the bare network and against other tools, in one run.

    python benchmarks/translate.py --size 2048 --widths 8,16,32 --norm none
    python benchmarks/translate.py --size 8192 --repeats 3

Everyone has the same network, image, precision and number of threads, and a
process of its own; contestants take turns.  Ours reads, translates, builds the
pyramid, writes and verifies nothing twice; ``bare`` is its network over the same
tiles with nothing else.  The others read the same store and write level 0 of a
store of their own, without a pyramid.  Prints one JSON document.  ``difference``
is that to one forward pass over windows with the whole reach around them, in
levels of 8 bits.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

PIP = {
    "monai": "pip install monai",
    "torch-em": "pip install torch_em bioimage-cpp",
    "dask": "pip install 'dask[array]'",
}
"""How to install whoever is missing."""

CONTESTANTS = ("ours", "bare", "monai-0.25", "monai-0.25-gaussian", "monai-0.5-gaussian",
               "torch-em", "dask")  # fmt: skip


def main() -> None:
    """Make the scene, let everyone run, print."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        _prepare(folder, asked)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in asked.only}
        for _ in range(asked.repeats):
            for contestant in asked.only:
                runs[contestant].append(_run(contestant, folder, asked))
    print(json.dumps(_summary(runs, asked)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=2048, help="side of the plane, pixels")
    parser.add_argument("--widths", default="8,16,32")
    parser.add_argument("--norm", default="none", choices=["none", "batch"])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tile", type=int, default=1024, help="side of the others' tiles, pixels")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=CONTESTANTS, choices=CONTESTANTS)
    parser.add_argument("--folder", type=Path, help="where to write; the default is temporary")
    return parser.parse_args()


def _prepare(folder: Path, asked: argparse.Namespace) -> None:
    from scenes import make_model, make_store

    make_model(folder / "run", tuple(map(int, asked.widths.split(","))), asked.norm)
    make_store(folder / "a.zarr", asked.size)


def _run(contestant: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """One contestant in a process of its own; what it says, or why it is skipped."""
    threads = str(asked.threads)
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("contestants.py"),
         contestant, folder, threads, str(asked.tile)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": threads},
    )  # fmt: skip
    if done.returncode == 3:
        tool = next(tool for tool in PIP if contestant.startswith(tool))
        print(f"{contestant} is skipped: {PIP[tool]}", file=sys.stderr)
        return {}
    if done.returncode:
        sys.exit(f"{contestant} failed:\n{done.stderr}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def _summary(runs: dict[str, list[dict[str, Any]]], asked: argparse.Namespace) -> dict[str, Any]:
    rows, seconds = [], {}
    for name, said in runs.items():
        if not said[0]:
            continue
        seconds[name] = median(one["seconds"] for one in said)
        speed = asked.size**2 / 1e6 / seconds[name]
        every = [one["seconds"] for one in said]
        rows.append({"name": name, "megapixels_per_second": speed, **said[-1], "seconds": every})
    ours = seconds.get("ours")
    for row in rows if ours else ():
        row["times_ours"] = seconds[row["name"]] / ours
    kept = ("size", "widths", "norm", "threads", "tile", "repeats")
    result = {name: getattr(asked, name) for name in kept} | {"rows": rows}
    if ours and "bare" in seconds:
        result["ours_to_bare"] = ours / seconds["bare"]
    return result


if __name__ == "__main__":
    main()
