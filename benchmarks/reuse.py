"""How alike patches of one block are: what reuse of decoded blocks costs in independence.

    stable-tiles convert CMU-1-Small-Region.svs slide.zarr
    python benchmarks/reuse.py slide.zarr --patch 128 --patches 8192

For the mean and the standard deviation of a patch, the intraclass correlation
of patches of one block, and by it the size of a sample of independent patches
that tells as much: ``n / (1 + (reuse - 1) * correlation)``.  Prints one JSON
document.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations

import numpy as np

from stable_tiles.image.store import open_image
from stable_tiles.settings import DataSettings
from stable_tiles.train.patches import Patches


def correlation(values: np.ndarray, groups: list[list[int]]) -> float:
    """Correlation of the values of two different members of one group."""
    centred = (values - values.mean()) / values.std()
    products = [centred[a] * centred[b] for g in groups for a, b in combinations(g, 2)]
    return float(np.mean(products))


def main() -> None:
    """Draw, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--patch", type=int, default=256)
    parser.add_argument("--patches", type=int, default=8192)
    asked = parser.parse_args()
    image = open_image(asked.store)
    patches = Patches([image], DataSettings(patch=asked.patch), (0, 0))
    drawn = [patches.patch(i) for i in range(asked.patches)]
    period = patches.schedule.mixed * patches.schedule.reuse
    visits: dict[tuple[int, int], list[int]] = {}
    for i in range(asked.patches):
        turn, slot = divmod(i, patches.schedule.mixed)
        shift = slot * patches.schedule.reuse // patches.schedule.mixed
        visits.setdefault((slot, (turn + shift) // patches.schedule.reuse), []).append(i)
    result = {
        "store": image.name,
        "shape": image.shape,
        "patch": asked.patch,
        "reuse": patches.schedule.reuse,
        "apart": patches.schedule.mixed,
        "gone_after": period,
    }
    for name, values in (
        ("mean", np.array([p.mean() for p in drawn])),
        ("sd", np.array([p.std() for p in drawn])),
    ):
        rho = correlation(values, list(visits.values()))
        result[f"{name}_correlation"] = round(rho, 3)
        result[f"{name}_effective_share"] = round(1 / (1 + (result["reuse"] - 1) * rho), 3)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
