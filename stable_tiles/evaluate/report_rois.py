"""The page of ``evaluate rois``, as the paper's Figure 2: overlays, zooms, boxes, traces."""

from __future__ import annotations

import numpy as np

from stable_tiles.evaluate.cells import Comparison, RoiOptions, sides
from stable_tiles.evaluate.page import Html, figure, note, number, page, panels, section, table
from stable_tiles.evaluate.plots import boxes, counts, traces
from stable_tiles.evaluate.report import LABELS, statistics
from stable_tiles.evaluate.rois import Roi
from stable_tiles.evaluate.statement import describe, statement
from stable_tiles.evaluate.traces import relative
from stable_tiles.evaluate.views import (
    INPUT_COLOR,
    OUTPUT_COLOR,
    Picture,
    beside,
    frame,
    grey,
    magnify,
    outline,
    overlay,
    png,
    spread,
    view,
)
from stable_tiles.image.store import open_image
from stable_tiles.region import Region

ZOOM_DIAMETERS = 6
"""Side of a magnified part, in cell diameters."""

SHARES = {"well matched": 0.9, "median": 0.5, "badly matched": 0.1}
"""Cells shown closely, by their place among all cells sorted from worst to best."""

BOX_COLOR = (255, 210, 0)


def rois_page(comparison: Comparison, options: RoiOptions) -> str:
    """The whole page."""
    report, (source, translated) = comparison.report, comparison.images
    chosen = _chosen(comparison)
    plots = [
        figure(
            counts({"input": report.count_input, "translation": report.count_output}, "cells"),
            "Number of cells",
        )
    ]
    for name, summary in report.metrics.items():
        plots.append(figure(boxes({translated.name: summary.values}, LABELS[name]), LABELS[name]))
    sections = [
        section("Overlay", *_overlays(comparison, options, chosen)),
        section("Cells", panels(plots), note(_LEGEND)),
    ]
    if "trace_pcc" in report.metrics and chosen:
        sections.append(section("Traces", *_traces(comparison, options, chosen)))
    named = {LABELS[name]: summary for name, summary in report.metrics.items()}
    agreement = (report.precision, report.recall, report.f1, report.intensity_pcc)
    sections += [
        section(
            "Statistics",
            statistics(named),
            table(
                ("input cells", "output cells", "precision", "recall", "F1", "PCC of intensity"),
                [(str(report.count_input), str(report.count_output), *map(number, agreement))],
            ),
            note("Precision, recall and F1 count cells that overlap with an IoU above 0.5."),
        ),
        statement({"input": source, "translation": translated}, _settings(options)),
    ]
    return page(
        f"Cells of {source.name} and {translated.name}",
        f"{report.count_input} cells in the input, {report.count_output} in the translation; "
        f"median distance {number(report.metrics['distance'].median)} px, median IoU "
        f"{number(report.metrics['iou'].median)}.",
        sections,
    )


_LEGEND = (
    "A point an input cell, against the nearest cell of the translation. Boxes span the quartiles "
    "with the median, whiskers reach to the last value within 1.5 times their range."
)


def _chosen(comparison: Comparison) -> dict[str, int]:
    """Input cells that are shown closely, by what they stand for."""
    metrics = comparison.report.metrics
    values = np.array(metrics["trace_pcc" if "trace_pcc" in metrics else "iou"].values)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    if not len(order):
        return {}
    picked = {name: int(order[int(share * (len(order) - 1))]) for name, share in SHARES.items()}
    return {name: i for name, i in picked.items() if comparison.matches.nearest[i] is not None}


def _overlays(comparison: Comparison, options: RoiOptions, chosen: dict[str, int]) -> list[Html]:
    source, translated = comparison.images
    reference = comparison.rois[0]
    plane = reference[chosen["median"]].plane if "median" in chosen else (0, source.shape[2] // 2)
    mean = source.shape[0] > 1 and options.over_time == "mean"
    frames = spread(source.shape[0]) if mean else [plane[0]]
    channels = options.channel_input, options.channel_output
    planes = [
        view(image, frames, plane[1])[[channel]]
        for image, channel in zip(comparison.images, channels, strict=True)
    ]
    whole = overlay(planes[0][0], planes[1][0])
    scale = planes[0].shape[-1] / source.shape[4]
    zooms = {
        name: _around(reference[i], options.diameter, source.shape[3:])
        for name, i in chosen.items()
        if reference[i].plane == plane
    }
    for region in zooms.values():
        whole = frame(whole, region, scale, BOX_COLOR)
    first = figure(png(magnify(whole, 800)), "Input in cyan, translation in red; boxes: below.")
    side = grey(view(translated, frames, plane[1])) if translated.is_rgb else grey(planes[1])
    shown = [
        first,
        figure(png(magnify(grey(planes[0]), 800)), "Input"),
        figure(png(magnify(side, 800)), "Translation"),
    ]
    closer = [
        figure(
            png(_closely(comparison, options, region, (frames, reference[chosen[name]]))),
            f"A {name} cell (yellow): overlay, and outlines of cells of the input (cyan) and of "
            "the translation (red).",
        )
        for name, region in zooms.items()
    ]
    what = f"Mean of {len(frames)} frames" if mean else f"Frame {plane[0]}"
    where = note(f"{what}, z {plane[1]}; each image between its 0.1 and 99.9 percentiles.")
    return [panels(shown), where, panels(closer, wide=True)]


def _closely(
    comparison: Comparison,
    options: RoiOptions,
    region: Region,
    where: tuple[list[int], Roi],
) -> Picture:
    frames, cell = where
    plane = cell.plane
    channels = options.channel_input, options.channel_output
    views = [view(image, frames, plane[1], region) for image in comparison.images]
    first, second = (seen[channel] for seen, channel in zip(views, channels, strict=True))
    large = magnify(overlay(first, second), 480)
    colour = comparison.images[1].is_rgb
    drawn = magnify(grey(views[1] if colour else second[None]), 480)
    for rois, color in zip(comparison.rois, (INPUT_COLOR, OUTPUT_COLOR), strict=True):
        drawn = outline(drawn, region, [roi for roi in rois if roi.plane == plane], color)
    return beside([large, outline(drawn, region, [cell], BOX_COLOR)])


def _around(roi: Roi, diameter: float, shape: tuple[int, ...]) -> Region:
    """A square part of the plane (y, x) around a cell."""
    side = [min(round(ZOOM_DIAMETERS * diameter), n) for n in shape]
    start = [
        int(np.clip(round(c - s / 2), 0, n - s))
        for c, s, n in zip(roi.centroid, side, shape, strict=True)
    ]
    return Region(tuple(start), tuple(a + s for a, s in zip(start, side, strict=True)))


def _traces(comparison: Comparison, options: RoiOptions, chosen: dict[str, int]) -> list[Html]:
    values = comparison.report.metrics["dff_pcc"].values
    both = [
        np.array(list(relative(side.frames(), options.baseline_window)))
        for side in sides(comparison, options, list(chosen.values()))
    ]
    time = next((axis for axis in comparison.images[0].axes.items if axis.name == "t"), None)
    frame_s = time.scale if time and time.unit == "second" else None
    shown = [
        figure(
            traces(both[0][:, place], both[1][:, place], frame_s),
            f"The {name} cell: PCC of dF/F0 {values[i]:.3f}.",
        )
        for place, (name, i) in enumerate(chosen.items())
    ]
    words = (
        "dF/F0 of the input's cell (blue) and of the translation's (red), each on its own axis; "
        f"F0 is the mean of {options.baseline_window} frames around."
    )
    return [panels(shown, wide=True), note(words)]


def _settings(options: RoiOptions) -> list[tuple[str, str]]:
    """How cells were found on either side, without paths."""
    rows = []
    for side, labels, channel in (
        ("input", options.labels_input, options.channel_input),
        ("translation", options.labels_output, options.channel_output),
    ):
        found = f"segmenter {options.segment.name}"
        if labels is not None:
            found = f"labels {describe(open_image(labels))}"
        rows.append((f"cells of the {side}", f"{found}; channel {channel}"))
    return [
        *rows,
        ("diameter", f"{options.diameter:g} px"),
        ("baseline window", f"{options.baseline_window} frames"),
    ]
