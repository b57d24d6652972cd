"""Time until the viewer's first image stands, in a browser that is open already.

    pip install playwright     # drives the machine's own Chromium
    python benchmarks/view.py input.zarr translated.zarr --repeats 7

Each repeat is a window of its own with an empty cache; the clock runs from
the request of the page until all tiles in sight are drawn.  Prints one JSON
document.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from stable_tiles.image.store import open_image
from stable_tiles.view import view

SWITCHES = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


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
    parser.add_argument("stores", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    chosen = parser.parse_args()
    measured = first_images(chosen.stores, chosen.repeats)
    result = {
        "shapes": [open_image(store).shape for store in chosen.stores],
        "seconds": [round(s, 3) for s in measured],
        "median": round(statistics.median(measured), 3),
    }
    print(json.dumps(result))
