"""Translate on a CUDA GPU: end to end and bare, in float32, bf16 and compiled.

    python benchmarks/gpu.py --size 16384

For both networks of the documentation, with random weights: megapixels a second,
the PSNR of bf16 against float32, and the largest difference between tiles and one
pass over windows, in levels of 8 bits.  Prints one JSON document.  Exit code 2
where there is no CUDA GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from contestants import Scene, difference
from scenes import make_model, make_store

from stable_tiles.translate.forward import TileNetwork
from stable_tiles.translate.options import Hardware, TranslateOptions
from stable_tiles.translate.prepare import prepare
from stable_tiles.translate.verb import translate

NETWORKS = {"8,16,32": "none", "32,64,128,256": "batch"}
MODES: dict[str, dict[str, Any]] = {
    "float32": {"precision": "32"},
    "bf16": {"precision": "bf16"},
    "float32 compiled": {"precision": "32", "compile": True},
    "bf16 compiled": {"precision": "bf16", "compile": True},
}


def bare_seconds(scene: Scene, options: TranslateOptions) -> float:
    """Time in the network alone: all tiles of the plan, from memory of the GPU."""
    work = prepare(scene.source, scene.folder / "bare.zarr", options)
    tiles, cut = TileNetwork(work.model, "a2b", work.job.forward), work.job.cut
    noise = torch.rand(1, 3, *cut.grid.largest, device="cuda")
    areas = [t.read for region in work.plan.regions for t in cut.grid.tiles(cut.plane(region))]
    tiles.translate(noise, areas[0])
    began = time.perf_counter()
    for area in areas:
        height, width = area.shape
        tiles.translate(noise[:, :, :height, :width], area)
    return time.perf_counter() - began


def measured(scene: Scene, mode: str) -> dict[str, Any]:
    """One network in one mode; compiled ones run once before, to compile."""
    hardware = Hardware(device="cuda", gpus=1, workers=0)
    options = TranslateOptions(model=scene.folder / "run", hardware=hardware, overwrite=True)
    options = replace(options, **MODES[mode])
    target = scene.folder / f"{mode}.zarr"
    translate(scene.source, target, options)
    report = translate(scene.source, target, options)
    made = zarr.open_array(target / "0", mode="r")
    return {
        "mode": mode,
        "tile": report.tile,
        "end_to_end": report.megapixels_per_second,
        "bare": report.megapixels / bare_seconds(scene, options),
        "difference": difference(scene, made) if mode == "float32" else None,
    }


def psnr(scene: Scene, first: str, second: str) -> float:
    """Peak signal to noise between two outputs, decibels."""
    a, b = (zarr.open_array(scene.folder / f"{name}.zarr" / "0")[...] for name in (first, second))
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def main() -> None:
    """Measure both networks in all modes and print."""
    parser = argparse.ArgumentParser(description="Translation on a CUDA GPU.")
    parser.add_argument("--size", type=int, default=16384)
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        print("Error: this machine has no CUDA GPU: nothing to measure here", file=sys.stderr)
        sys.exit(2)
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_store(folder / "a.zarr", asked.size)
        for widths, norm in NETWORKS.items():
            make_model(folder / "run", tuple(map(int, widths.split(","))), norm)
            scene = Scene(folder, torch.get_num_threads(), 1024)
            rows = [measured(scene, mode) for mode in MODES]
            quality = psnr(scene, "bf16", "float32")
            results.append({"widths": widths, "rows": rows, "bf16_psnr_db": quality})
    name = torch.cuda.get_device_name()
    print(json.dumps({"device": name, "size": asked.size, "networks": results}))


if __name__ == "__main__":
    main()
