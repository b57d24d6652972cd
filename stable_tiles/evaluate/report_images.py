"""The page of ``evaluate images``: images, where they differ, metrics of every plane."""

from __future__ import annotations

import numpy as np

from stable_tiles.evaluate.images import ImageOptions, ImageReport
from stable_tiles.evaluate.page import Html, figure, note, number, page, panels, section
from stable_tiles.evaluate.plots import boxes
from stable_tiles.evaluate.report import LABELS, statistics
from stable_tiles.evaluate.statement import statement
from stable_tiles.evaluate.summary import Summary
from stable_tiles.evaluate.views import (
    Grey,
    Picture,
    beside,
    contrast,
    frame,
    grey,
    magnify,
    overview_level,
    png,
    view,
)
from stable_tiles.image.store import Image
from stable_tiles.region import Region

ZOOM = 128
"""Side of the parts shown magnified, pixels."""

BOX_COLORS = ((255, 210, 0), (0, 200, 255))


def images_page(pair: tuple[Image, Image], options: ImageOptions, report: ImageReport) -> str:
    """The whole page."""
    prediction, reference = pair
    found = report.metrics
    plane = _typical(found["ssim"])
    t, z = divmod(plane, reference.shape[2])
    plots = [
        figure(boxes({prediction.name: summary.values}, LABELS[name]), LABELS[name])
        for name, summary in found.items()
    ]
    tables = [statistics({LABELS[name]: summary for name, summary in found.items()})]
    for channel, metrics in report.channels.items():
        tables += [
            note(f"Channel {channel}"),
            statistics({LABELS[name]: summary for name, summary in metrics.items()}),
        ]
    return page(
        f"{prediction.name} against {reference.name}",
        f"Planes: {len(found['rmse'].values)}. Medians: RMSE {number(found['rmse'].median)}, "
        f"SSIM {number(found['ssim'].median)}, PCC {number(found['pcc'].median)}.",
        [
            section(f"Images (t {t}, z {z})", *_pictures(pair, t, z)),
            section("Metrics", panels(plots), note("A point a plane, over all of its channels.")),
            section("Statistics", *tables),
            statement(
                {"prediction": prediction, "reference": reference},
                (("normalize", options.normalize), ("data range", f"{report.data_range:g}")),
            ),
        ],
    )


def _typical(ssim: Summary) -> int:
    """The plane whose SSIM is nearest the median; the first where none is known."""
    away = np.abs(np.array(ssim.values) - ssim.median)
    return int(np.nanargmin(away)) if np.isfinite(away).any() else 0


def _pictures(pair: tuple[Image, Image], t: int, z: int) -> list[Html]:
    planes = [view(image, [t], z) for image in pair]
    scale = planes[0].shape[-1] / pair[0].shape[4]
    difference = np.abs(contrast(planes[0]) - contrast(planes[1])).mean(axis=0)
    zooms = _zooms(difference, scale, pair[0].shape[3:])
    shown = [grey(plane) for plane in planes] + [grey(difference[None])]
    for zoom, color in zip(zooms, BOX_COLORS, strict=False):
        shown = [frame(picture, zoom, scale, color) for picture in shown]
    level = overview_level(pair[0])
    finer = f" Shown at level {level}." if level else ""
    whole = [
        figure(png(magnify(picture, 512)), words)
        for picture, words in zip(
            shown,
            ("prediction", "reference", "absolute difference, both between their own percentiles"),
            strict=True,
        )
    ]
    parts = [
        figure(png(_zoom(pair, t, z, zoom)), f"{where}: prediction, reference, difference")
        for zoom, where in zip(zooms, ("largest difference", "typical difference"), strict=False)
    ]
    scaled = note(f"Each image between its own 0.1 and 99.9 percentiles of what is shown.{finer}")
    return [panels(whole), scaled, panels(parts, wide=True)]


def _zooms(difference: Grey, scale: float, shape: tuple[int, ...]) -> list[Region]:
    """The blocks (y, x) of level 0 that differ most and as much as the median block."""
    blocks = list(Region.whole(shape).divide((ZOOM, ZOOM)))
    means = []
    for block in blocks:
        box = Region(
            tuple(int(n * scale) for n in block.start), tuple(-int(-n * scale) for n in block.stop)
        )
        seen = difference[box.slices]
        means.append(float(seen.mean()) if seen.size else 0.0)
    order = np.argsort(means)
    chosen = dict.fromkeys((int(order[-1]), int(order[len(order) // 2])))
    return [blocks[i] for i in chosen]


def _zoom(pair: tuple[Image, Image], t: int, z: int, region: Region) -> Picture:
    planes = [view(image, [t], z, region) for image in pair]
    difference = np.abs(contrast(planes[0]) - contrast(planes[1])).mean(axis=0)
    pictures = [*(grey(plane) for plane in planes), grey(difference[None])]
    return beside([magnify(picture, 384) for picture in pictures])
