"""Kill a translation at random moments, resume it, and compare the bytes.

    python benchmarks/faults.py --times 50

Three victims in turn, each by SIGKILL: one of two worker processes, which the
job must survive by itself; the process that was asked, which holds the
scheduler; and its whole process group.  After the last two the same command
runs again with ``--resume``, killed as often as it takes until the output is
whole.  Every output must have the bytes of an uninterrupted one, and no worker
may have written more than one region that has no receipt, which is all that is
done twice.  Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from scenes import array_digest, make_model, make_store

from stable_tiles.image.writer import partial_folder
from stable_tiles.ledger import Ledger

VICTIMS = ("worker", "scheduler", "group")
WORKERS = 2
PATIENCE_S = 600


def main() -> None:
    """Make the scene, kill, resume, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=50, help="kills of each victim")
    parser.add_argument("--size", type=int, default=2048, help="side of the plane, pixels")
    parser.add_argument("--victims", nargs="+", default=VICTIMS, choices=VICTIMS)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance, rows = random.Random(asked.seed), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "run", (8, 16), "none")
        make_store(folder / "a.zarr", asked.size)
        began = time.perf_counter()
        _finish(_start(folder, "whole.zarr"))
        lasts = time.perf_counter() - began
        expected = array_digest(folder / "whole.zarr")
        for victim in asked.victims:
            trials = [_trial(folder, victim, chance, lasts) for _ in range(asked.times)]
            same = sum(trial["digest"] == expected for trial in trials)
            kept = [trial["resumed"] for trial in trials if trial["resumed"] is not None]
            early = sum(trial["early"] for trial in trials)
            twice = max(trial["twice"] for trial in trials)
            row = {"victim": victim, "times": asked.times, "same_bytes": same}
            row |= {"most_done_twice": twice, "before_work": early, "resumed_regions": kept}
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    print(json.dumps({"size": asked.size, "seconds_whole": lasts, "rows": rows}))
    if any(row["same_bytes"] < row["times"] or row["most_done_twice"] > WORKERS for row in rows):
        sys.exit("a killed translation did not end as it should")


def _trial(folder: Path, victim: str, chance: random.Random, lasts: float) -> dict[str, Any]:
    """One kill, all that it takes to finish, and what came out."""
    target, resumed, twice = folder / "o.zarr", None, 0
    process = _start(folder, target.name)
    time.sleep(chance.uniform(0, lasts))
    early = not partial_folder(target).exists() and not target.exists()
    _kill(process, victim)
    process.wait(PATIENCE_S)
    _sweep(folder)
    if not target.exists():
        twice = _without_receipt(partial_folder(target))
        begun = partial_folder(target).exists() and any(partial_folder(target).glob("finger*"))
        resumed = _finish(_start(folder, target.name, *(["--resume"] if begun else [])))
    digest = array_digest(target)
    subprocess.run(["rm", "-r", str(target)], check=True)
    return {"digest": digest, "early": early, "resumed": resumed, "twice": twice}


def _without_receipt(unfinished: Path) -> int:
    """Regions of an unfinished output that are written, or half so, and have no receipt."""
    receipts = Ledger(unfinished).receipts()
    proven = {file.path for receipt in receipts for file in receipt.files}
    shards = (path for path in unfinished.glob("store/0/c/**/*") if path.is_file())
    written = {str(path.relative_to(unfinished)) for path in shards if path.suffix != ".partial"}
    return len(written - proven)


def _start(folder: Path, target: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from stable_tiles_cli.main import main; main()",
               "translate", "a.zarr", target, "--model", "run", "--gpus", "0",
               "--workers", str(WORKERS), "--tile", "256",
               "--chunk", "128", "--shard", "256", "--json", "--quiet", *more]  # fmt: skip
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def _finish(process: subprocess.Popen[str]) -> int:
    """Wait for an end that is good; how many regions had been done before."""
    out, _ = process.communicate(timeout=PATIENCE_S)
    if process.returncode:
        sys.exit(f"translate failed with {process.returncode}")
    resumed: int = json.loads(out)["resumed_regions"]
    return resumed


def _kill(process: subprocess.Popen[str], victim: str) -> None:
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    elif victim == "scheduler":
        process.kill()
    else:
        workers = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "spawn_main" in " ".join(child.cmdline())
        ]
        if workers:
            random.choice(workers).kill()


def _sweep(folder: Path) -> None:
    """Wait until nothing that the command started is left."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not any(_works_in(process, folder) for process in psutil.process_iter()):
            return
        time.sleep(0.2)
    sys.exit("processes of a killed translation live on")


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.pid != os.getpid() and process.cwd() == str(folder)
    except psutil.Error:
        return False


if __name__ == "__main__":
    main()
