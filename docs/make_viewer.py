"""Photograph the viewer: ``docs/images/viewer.jpg``.

stable-tiles demo --out demo
stable-tiles translate demo/test_A.zarr --model demo/run --confidence
pip install playwright     # drives the machine's own Chromium
python docs/make_viewer.py demo/test_A.zarr demo/test_A.translated.zarr

The picture is what a user sees at 1280 x 800, the confidence switched on.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from stable_tiles.view import view

VIEW = "swipe=0.5&at=450,-450,0.32&confidence=0,0.85"
"""What is shown: the middle, with the errors of the cycle over the translation."""

SWITCHES = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


def photograph(stores: list[Path], target: Path, link: str) -> None:
    """Write a picture of the page that shows `stores`."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with view(stores, 0) as viewer, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{viewer.url}#{link}")
        page.wait_for_selector("#panel section")
        page.wait_for_selector("#stage[data-busy=false]")
        page.wait_for_timeout(1000)
        page.screenshot(path=target, type="jpeg", quality=82)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images/viewer.jpg")
    parser.add_argument("--view", default=VIEW, help="The part of a link after #.")
    chosen = parser.parse_args()
    photograph(chosen.stores, chosen.out, chosen.view)
