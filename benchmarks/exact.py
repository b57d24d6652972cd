"""Tiled against whole: translate a plane in tiles, and in one forward pass, and compare.

    python benchmarks/exact.py --size 4096 --widths 8,16,32 --norm none
    python benchmarks/exact.py --size 4096 --widths 32,64,128,256 --norm batch

Random weights (seed 0), float32, CPU.  Prints one JSON document: the largest
difference in units of the whole output's standard deviation, and whether one
and two worker processes wrote the same files.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from scenes import array_digest, eight_bits, save_random

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.store import open_image
from stable_tiles.image.writer import create_store
from stable_tiles.model import load_model
from stable_tiles.region import Region
from stable_tiles.settings import NetworkSettings
from stable_tiles.translate.options import Hardware, TranslateOptions
from stable_tiles.translate.verb import translate


def make_model(folder: Path, widths: tuple[int, ...], norm: str) -> None:
    """Save a model of gray to gray whose output is not rounded."""
    settings = NetworkSettings(widths=widths, features=8, norm=norm)
    domains = {
        name: eight_bits(("gray",), ("FFFFFF",), dtype)
        for name, dtype in (("a", "uint8"), ("b", "float32"))
    }
    save_random(folder, settings, domains)


def make_store(path: Path, size: int) -> None:
    """Write a plane of noise, region by region."""
    layout = plan_layout((1, 1, 1, size, size), 1)
    spec = ImageSpec(Axes.named("yx"), layout, "uint8", (Channel("gray"),))
    writer = create_store(path, spec, {})
    rng = np.random.default_rng(0)
    for region in layout.regions():
        shape = (1, 1, 1, *region.shape[2:])
        writer.write(region, rng.integers(0, 255, shape).astype(np.uint8))
    writer.seal(path, {"kind": "source"})


def main() -> None:
    """Translate, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--widths", default="8,16,32")
    parser.add_argument("--norm", default="none", choices=["none", "batch"])
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    asked = parser.parse_args()
    widths = tuple(map(int, asked.widths.split(",")))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "run", widths, asked.norm)
        make_store(folder / "a.zarr", asked.size)
        digests = []
        for workers in asked.workers:
            options = TranslateOptions(
                model=folder / "run",
                tile=asked.tile,
                hardware=Hardware(gpus=0, workers=workers),
            )
            report = translate(folder / "a.zarr", folder / f"{workers}.zarr", options)
            digests.append(array_digest(folder / f"{workers}.zarr"))
        result = {
            "size": asked.size,
            "widths": widths,
            "tiles": report.tiles,
            "workers": asked.workers,
            "same_files": len(set(digests)) == 1,
            **compare(folder, folder / f"{asked.workers[0]}.zarr"),
        }
        print(json.dumps(result))


def compare(folder: Path, output: Path) -> dict[str, float | bool]:
    """The tiled output against one forward pass over the whole plane."""
    model = load_model(folder / "run")
    image, tiled = open_image(folder / "a.zarr"), open_image(output)
    whole = Region.whole((1, 1, *image.shape[3:]))
    units = model.domains["a"].normalizer.normalize(image.read(whole)[0, :, 0])
    with torch.inference_mode():
        features = model.network.eval().encode(torch.from_numpy(units)[None], "a")
        made = model.network.decode(features, "b", image.shape[3:])[0].numpy()
    made = model.domains["b"].normalizer.denormalize(made)
    difference = np.abs(tiled.read(whole)[0, :, 0] - made).max()
    return {"bit_equal": bool(difference == 0), "difference_sd": float(difference / made.std())}


if __name__ == "__main__":
    main()
