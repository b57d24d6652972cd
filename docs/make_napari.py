"""Photograph the plugin in napari: ``docs/images/napari.jpg``.

stable-tiles simulate he sections --size 1024 --count 4
stable-tiles train he --source sections/train/A/0000.zarr --target sections/train/B/0000.zarr \
    --out runs/he --set training.steps=2000
pip install 'stable-tiles[napari]'     # needs a screen: xvfb-run where there is none
python docs/make_napari.py runs/he

The picture is what a user sees after *Preview what is in sight*.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import imagecodecs
import napari
import numpy as np
from qtpy.QtWidgets import QApplication


def photograph(run: Path, target: Path) -> None:
    """Write a picture of napari with the sample, the widget, and a preview by `run`."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    viewer.open_sample("stable-tiles", "section")
    viewer.layers["section, H&E"].visible = False
    _, widget = viewer.window.add_plugin_dock_widget("stable-tiles", "Translate")
    widget.layer.value = viewer.layers["section, two-photon"]
    widget.run.value = run
    widget.side.value = 400
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.reset_view()
    widget.preview()
    while widget.busy:
        QApplication.processEvents()
        time.sleep(0.05)
    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.05)
    pixels = viewer.screenshot(canvas_only=False, flash=False)[..., :3]
    target.write_bytes(imagecodecs.jpeg_encode(np.ascontiguousarray(pixels), level=85))
    viewer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    folder = Path(__file__).parent / "images"
    parser.add_argument("--out", type=Path, default=folder / "napari.jpg")
    chosen = parser.parse_args()
    photograph(chosen.run, chosen.out)
