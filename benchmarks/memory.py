"""Peak memory of `translate` on planes of growing size, at the same tile.

    python benchmarks/memory.py --sizes 4096 16384 --tile 1024

Random weights, one worker process on the CPU.  Prints one
JSON document: for each size the peak resident memory of the largest process
and the speed, and the ratio of the peaks of the last and the first size.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from exact import make_model, make_store


def translated(folder: Path, size: int, tile: int) -> dict[str, float]:
    """Translate a plane in a process of its own; its receipt."""
    make_store(folder / "a.zarr", size)
    command = [Path(sys.executable).with_name("stable-tiles"), "translate", folder / "a.zarr"]
    command += [folder / "b.zarr", "--model", folder / "run", "--gpus", "0", "--tile", str(tile)]
    done = subprocess.run(
        [*command, "--json", "--quiet"], capture_output=True, text=True, check=True
    )
    receipt = json.loads(done.stdout)
    kept = ("peak_rss_bytes", "memory_bytes", "megapixels_per_second", "redundancy", "seconds")
    return {"size": size, **{name: receipt[name] for name in kept}}


def main() -> None:
    """Measure each size and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 16384])
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--widths", default="8,16,32")
    asked = parser.parse_args()
    rows = []
    for size in asked.sizes:
        with tempfile.TemporaryDirectory() as name:
            make_model(Path(name) / "run", tuple(map(int, asked.widths.split(","))), "none")
            rows.append(translated(Path(name), size, asked.tile))
    ratio = rows[-1]["peak_rss_bytes"] / rows[0]["peak_rss_bytes"]
    print(
        json.dumps({"widths": asked.widths, "tile": asked.tile, "rows": rows, "peak_ratio": ratio})
    )


if __name__ == "__main__":
    main()
