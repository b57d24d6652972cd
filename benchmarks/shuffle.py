"""Does it cost anything in training that several patches come from one decoded block?

    stable-tiles simulate calcium data --size 1024 --count 4
    python benchmarks/shuffle.py data OUT --steps 1000

Trains `smoke` twice on one core's worth of threads: with patches that come in
blocks, as always, and with one patch a block, which is a shuffle over all
images.  Everything else is the same.  Prints the losses of both, averaged over
the last quarter of the steps, and draws OUT/shuffle.png.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from stable_tiles.settings import load_settings
from stable_tiles.train import schedule
from stable_tiles.train.run import TrainOptions, train

LOSSES = ("adversarial", "information", "cycle", "discriminator_a", "discriminator_b")
BLOCKS, SHUFFLE = "blocks", "one patch a block"


def losses(data: Path, out: Path, steps: int, seed: int) -> list[dict[str, float]]:
    """The logged losses of one training."""
    domains = [sorted((data / "train" / d).glob("*.zarr")) for d in "AB"]
    settings = load_settings("smoke", [f"training.steps={steps}", f"training.seed={seed}"])
    train(settings, domains[0], domains[1], out, TrainOptions(device="cpu"))
    entries = map(json.loads, (out / "log.jsonl").read_text().splitlines())
    return [entry for entry in entries if "cycle" in entry]


def main() -> None:
    """Train, compare, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True)
    logged = {BLOCKS: losses(asked.data, asked.out / "blocks", asked.steps, asked.seed)}
    reuse, schedule.REUSE = schedule.REUSE, 1
    logged[SHUFFLE] = losses(asked.data, asked.out / "shuffle", asked.steps, asked.seed)
    figure = Figure(figsize=(15, 3), layout="constrained", dpi=110)
    for axis, loss in zip(figure.subplots(1, len(LOSSES)), LOSSES, strict=True):
        for name, entries in logged.items():
            axis.plot([e["step"] for e in entries], [e[loss] for e in entries], label=name)
        axis.set_title(loss)
        axis.set_xlabel("step")
        axis.set_ylim(bottom=0)
    axis.legend()
    figure.savefig(asked.out / "shuffle.png")
    late = {
        name: {
            loss: float(np.mean([e[loss] for e in entries[-len(entries) // 4 :]]))
            for loss in LOSSES
        }
        for name, entries in logged.items()
    }
    print(json.dumps({"reuse": reuse, "steps": asked.steps, "seed": asked.seed, "late": late}))


if __name__ == "__main__":
    main()
