"""Time until the viewer's first image stands, in a browser that is open already.

    pip install playwright     # drives the machine's own Chromium
    python benchmarks/view.py input.zarr translated.zarr --repeats 7
    python benchmarks/view.py --size 16384

The second makes a colour pair of that size in a temporary folder: noise on the
levels of up to 2048 pixels, of which a first image is made, and nothing on finer
ones.  Each repeat is a window of its own with an empty cache; the clock runs from
the request of the page until all tiles in sight are drawn.  Prints one JSON
document.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import zarr
from playwright.sync_api import sync_playwright

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import RGB_CHANNELS, Multiscale, describe
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.store import open_image
from stable_tiles.image.writer import create_store, partial_folder
from stable_tiles.view import view

SWITCHES = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


FILLED = 2048
"""Side of the largest level that holds pixels, where the pair is made here."""


def colour_store(target: Path, size: int, seed: int) -> Path:
    """A colour store of `size` pixels a side with noise on its coarse levels."""
    axes = Axes.named("cyx", dict.fromkeys("yx", 0.25), dict.fromkeys("yx", "micrometer"))
    layout = plan_layout((1, 3, 1, size, size), 1, rgb=True)
    store = create_store(target, ImageSpec(axes, layout, "uint8", RGB_CHANNELS), {}).store
    group = zarr.open_group(str(store), mode="r+")
    rng = np.random.default_rng(seed)
    for k, level in enumerate(layout.levels):
        if level.shape[-1] <= FILLED:
            shape = axes.project(level.shape)
            group[str(k)][...] = rng.integers(90, 240, shape, dtype=np.uint8)
    paths = tuple(str(k) for k in range(len(layout.levels)))
    image = Multiscale("0.5", axes, paths, (), RGB_CHANNELS, True)
    window = {"min": 0.0, "max": 255.0, "start": 0.0, "end": 255.0}
    group.attrs.put(describe(image, target.name, [window] * 3))
    store.rename(target)
    partial_folder(target).rmdir()
    return target


def first_images(stores: list[Path], repeats: int) -> list[float]:
    """Seconds until the first image, once for each repeat."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    seconds = []
    with view(stores, 0) as viewer, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        for _ in range(repeats):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            started = time.monotonic()
            page.goto(viewer.url, wait_until="commit")
            page.wait_for_selector("#stage[data-busy=false]")
            seconds.append(time.monotonic() - started)
            page.close()
        browser.close()
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", type=Path)
    parser.add_argument("--size", type=int, help="make a pair of so many pixels a side")
    parser.add_argument("--repeats", type=int, default=7)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shown = list(chosen.stores)
        if chosen.size:
            names = ("input.zarr", "translated.zarr")
            shown += [colour_store(Path(folder) / n, chosen.size, k) for k, n in enumerate(names)]
        measured = first_images(shown, chosen.repeats)
        result = {
            "shapes": [open_image(store).shape for store in shown],
            "seconds": [round(s, 3) for s in measured],
            "median": round(statistics.median(measured), 3),
        }
    print(json.dumps(result))
