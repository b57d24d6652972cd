"""The page of ``translate --report``: before and after, intensities, seams, confidence, facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.check import seam_index
from stable_tiles.evaluate.page import (
    Html,
    facts,
    figure,
    note,
    number,
    page,
    panels,
    section,
    swipe,
)
from stable_tiles.evaluate.plots import histogram
from stable_tiles.evaluate.report import Target
from stable_tiles.evaluate.statement import statement
from stable_tiles.evaluate.views import grey, magnify, overview_level, png, view
from stable_tiles.image.store import Image, open_image
from stable_tiles.region import Region
from stable_tiles.tiling.axis import Cell
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.translate.prepare import Work

DETAIL = 384
"""Side of the part that is shown pixel by pixel."""

MEASURED = 2048
"""Largest side of the part whose seams are measured, pixels."""

_TIMES = ("seconds", "survey_seconds", "forward_seconds", "scheduler_seconds")
_FACTS = ("tiles", "regions", "tile", "halo", "blend", "norm", "redundancy", "workers", "gpus")


@dataclass(frozen=True)
class TranslationReport:
    """What the page says in numbers.

    Parameters
    ----------
    output : str
        Name of the store.
    clipped_fraction : float
        Share of values outside the range of the dtype.
    borders : int
        Borders of tiles in the part that was measured.
    seam_index, seam_index_input : float
        Mean gradient across borders of tiles, divided by that elsewhere, of the
        translation and of the input at the same places; 1 where there is no border.
    """

    output: str
    clipped_fraction: float
    borders: int
    seam_index: float
    seam_index_input: float


@dataclass(frozen=True)
class _Pair:
    """Input and translation, and the plane that is shown."""

    source: Image
    made: Image
    origin: tuple[int, int, int, int]
    t: int
    z: int

    def read(self, image: Image, box: Region) -> npt.NDArray[Any]:
        """A box (y, x) of the translation, in either image: (c, y, x)."""
        dt, dz, dy, dx = self.origin if image is self.source else (0, 0, 0, 0)
        return view(image, [self.t + dt], self.z + dz, box.shifted((dy, dx)))

    @property
    def is_whole(self) -> bool:
        """Whether the planes are the input's, not a part of them."""
        return self.source.shape[3:] == self.made.shape[3:]


def report_translation(work: Work, target: Target) -> TranslationReport:
    """Write the page of a finished translation.

    Parameters
    ----------
    work : Work
        What was decided before it was made.
    target : Target
        Where the page goes.

    Raises
    ------
    StoreNotFound
        If the translation is not there.
    """
    made = open_image(work.target)
    origin = work.job.cut.origin
    pair = _Pair(work.image, made, origin, made.shape[0] // 2, made.shape[2] // 2)
    told = made.attributes["provenance"]["report"]
    seams = _seams(pair, work.job.cut.grid)
    report = TranslationReport(made.name, told["clipped_fraction"], *seams)
    target.write(_page(pair, work, report), report)
    return report


def _page(pair: _Pair, work: Work, report: TranslationReport) -> str:
    told = pair.made.attributes["provenance"]["report"]
    direction = work.job.direction
    seams = (
        f"Seam index {number(report.seam_index)} (the input at the same places: "
        f"{number(report.seam_index_input)})"
        if report.borders
        else "No borders of tiles"
    )
    return page(
        f"{pair.source.name} translated ({direction})",
        f"{number(100 * report.clipped_fraction)} % of values clipped. {seams}. "
        f"{number(told['megapixels'])} megapixels in {number(told['seconds'])} s.",
        [
            section(f"Before and after (t {pair.t}, z {pair.z})", *_pictures(pair)),
            section("Intensities", *_intensities(pair)),
            *_confidence(pair, work),
            section(
                "Tiles and time",
                facts([(name.replace("_", " "), _said(told[name])) for name in _FACTS + _TIMES]),
                note(
                    "Seam index: mean gradient across borders of tiles, divided by that elsewhere "
                    f"on the network's stride, in the first {MEASURED} pixels of either axis; "
                    "without seams it is near 1, and near the input's."
                ),
            ),
            statement(
                {"input": pair.source, "translation": pair.made},
                [
                    (name, _said(value))
                    for name, value in pair.made.attributes["provenance"]["options"].items()
                    if value is not None
                ],
            ),
        ],
    )


def _pictures(pair: _Pair) -> list[Html]:
    """The whole plane where it was translated, and its middle pixel by pixel."""
    shown = []
    if pair.is_whole:
        dt, dz = pair.origin[:2]
        level = overview_level(pair.made)
        source = view(pair.source, [pair.t + dt], pair.z + dz)
        made = view(pair.made, [pair.t], pair.z)
        if source.shape[1:] == made.shape[1:]:
            words = f"Left of the handle the input, right the translation; level {level}."
            shown.append(swipe(_png(source), _png(made), words))
    sides = pair.made.shape[3:]
    start = tuple(max(0, (side - DETAIL) // 2) for side in sides)
    stop = tuple(min(side, begin + DETAIL) for side, begin in zip(sides, start, strict=True))
    box = Region(start, stop)
    words = f"The middle, pixel by pixel (y {start[0]} to {stop[0]}, x {start[1]} to {stop[1]})."
    before, after = (_png(pair.read(image, box)) for image in (pair.source, pair.made))
    shown.append(swipe(before, after, words))
    return [panels(shown, wide=True), note("Contrast: percentiles 0.1 and 99.9 of each picture.")]


def _png(plane: npt.NDArray[Any]) -> bytes:
    return png(magnify(grey(plane), 512))


def _intensities(pair: _Pair) -> list[Html]:
    sides = pair.made.shape[3:]
    box = Region((0, 0), (min(MEASURED, sides[0]), min(MEASURED, sides[1])))
    plots = []
    for image, words in ((pair.source, "Input"), (pair.made, "Translation")):
        plane = pair.read(image, box)
        names = [channel.name or f"channel {k}" for k, channel in enumerate(image.channels)]
        values = [channel.ravel() for channel in plane]
        plots.append(figure(histogram(values, names, f"{words}, {image.dtype}"), words))
    return [panels(plots, wide=True), note(f"Of up to {MEASURED} x {MEASURED} pixels of a plane.")]


def _confidence(pair: _Pair, work: Work) -> list[Html]:
    """The errors a pixel, where they were written."""
    if work.job.errors is None:
        return []
    errors = open_image(work.target / work.job.error_target.name)
    planes = view(errors, [pair.t], pair.z)
    shown = [
        figure(
            _png(plane[None]),
            f"{name}: mean {number(float(plane.mean()))}, 99 % below "
            f"{number(float(np.percentile(plane, 99)))}",
        )
        for name, plane in zip(("cycle", "information"), planes, strict=True)
    ]
    words = "Errors a pixel, bright is large; zero would be no contradiction."
    return [section("Confidence", panels(shown, wide=True), note(words))]


def _seams(pair: _Pair, grid: TileGrid) -> tuple[int, float, float]:
    """Borders, and the seam indices of translation and input."""
    sides = [min(MEASURED, side) for side in pair.made.shape[3:]]
    axes = zip((grid.rows, grid.columns), pair.origin[2:], sides, strict=True)
    rows, columns = (
        tuple(
            Cell(cell.start - first, cell.stop - first, 0, cell.read_stop)
            for cell in cells
            if 0 <= cell.start - first < side
        )
        for cells, first, side in axes
    )
    part = replace(grid, rows=rows, columns=columns)
    borders = len(rows) + len(columns) - 2
    box = Region((0, 0), (sides[0], sides[1]))
    found = [
        seam_index(pair.read(image, box)[None].astype(np.float32), part) if borders > 0 else 1.0
        for image in (pair.made, pair.source)
    ]
    return max(0, borders), found[0], found[1]


def _said(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)
