"""Cytosolic to nuclear calcium imaging, simulated with known truth: how well cells are kept.

    python examples/calcium.py OUT --seeds 1 2 3

For each seed: simulates four images of either domain and a test scene, trains
the config `calcium_robust` on the unpaired images, translates the test scene and matches
its nuclei with the true ones.  Prints one JSON document and draws OUT/SEED.png
(input, translation, truth) and OUT/curves.png (losses).  The time of training
is in the document: it depends on the machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from stable_tiles import open_image
from stable_tiles.evaluate.cells import RoiOptions, evaluate_rois
from stable_tiles.evaluate.picture import side_by_side
from stable_tiles.settings import load_settings
from stable_tiles.simulate.plan import SimulateOptions
from stable_tiles.simulate.verb import simulate
from stable_tiles.train.run import TrainOptions, train
from stable_tiles.translate.options import Hardware, TranslateOptions
from stable_tiles.translate.verb import translate

NUCLEUS = 11.0
"""Diameter of a simulated nucleus, pixels; its cell's is 16."""


LOSSES = ("adversarial", "information", "cycle", "discriminator_a", "discriminator_b")


def run(folder: Path, seed: int, config: str, overrides: list[str]) -> dict[str, Any]:
    """One seed, from simulation to figures."""
    simulate("calcium", folder / "data", SimulateOptions(1024, 4, seed))
    domains = [sorted((folder / "data" / "train" / d).glob("*.zarr")) for d in "AB"]
    settings = load_settings(config, [f"training.seed={seed}", *overrides])
    trained = train(settings, domains[0], domains[1], folder / "run", TrainOptions(device="cpu"))
    test = folder / "data" / "test"
    name = next((test / "A").glob("*.zarr")).name
    translated = folder / "translated.zarr"
    options = TranslateOptions(model=folder / "run", hardware=Hardware(device="cpu"))
    translate(test / "A" / name, translated, options)
    found = evaluate_rois(
        test / "B" / name, translated, RoiOptions(NUCLEUS, labels_input=test / "nuclei" / name)
    )
    images = [open_image(path) for path in (test / "A" / name, translated, test / "B" / name)]
    side_by_side(folder.with_suffix(".png"), images, ("cytosol", "translated", "true nuclei"))
    return {
        "seed": seed,
        "distance_px": found.metrics["distance"].median,
        "iou": found.metrics["iou"].median,
        "intensity_pcc": found.intensity_pcc,
        "count": found.count_output,
        "true_count": found.count_input,
        "training_seconds": trained.seconds,
        "steps_per_second": trained.steps_per_second,
    }


def draw_curves(out: Path, seeds: list[int]) -> None:
    """The losses of every seed, as they were logged."""
    figure = Figure(figsize=(15, 3), layout="constrained", dpi=110)
    for axis, loss in zip(figure.subplots(1, len(LOSSES)), LOSSES, strict=True):
        for seed in seeds:
            lines = (out / str(seed) / "run" / "log.jsonl").read_text().splitlines()
            logged = [entry for entry in map(json.loads, lines) if loss in entry]
            steps, values = zip(*((e["step"], e[loss]) for e in logged), strict=True)
            axis.plot(steps, values, label=f"seed {seed}")
        axis.set_title(loss)
        axis.set_xlabel("step")
        axis.set_ylim(bottom=0)
    axis.legend()
    figure.savefig(out / "curves.png")


def main() -> None:
    """Every seed, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--config", default="calcium_robust")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    asked = parser.parse_args()
    asked.out.mkdir(parents=True)
    rows = [run(asked.out / str(s), s, asked.config, asked.overrides) for s in asked.seeds]
    draw_curves(asked.out, asked.seeds)
    print(json.dumps({"config": asked.config, "runs": rows}, indent=1))


if __name__ == "__main__":
    main()
