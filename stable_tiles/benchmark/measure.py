"""What a translation is worth: its cells, or its pixels, against the truth, over all scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_tiles.benchmark.data import Scene
from stable_tiles.benchmark.paper import IMAGES, Cells, Study
from stable_tiles.evaluate.cells import Comparison, RoiOptions, compare_rois
from stable_tiles.evaluate.images import ImageOptions, evaluate_images
from stable_tiles.evaluate.summary import Summary, summarize
from stable_tiles.progress import Progress, silent


@dataclass(frozen=True)
class Measured:
    """The figures of one set of translations.

    Parameters
    ----------
    metrics : dict of str to Summary
        Over the cells, or the planes, of all scenes.
    counts : (int, int) or None
        Cells found in the translations, and cells they were compared with.
    """

    metrics: dict[str, Summary]
    counts: tuple[int, int] | None = None


def from_json(tree: Mapping[str, Any]) -> Measured:
    """The figures of a document that holds them."""
    counts = tree["counts"]
    return Measured(
        {
            name: summarize([float("nan") if v is None else v for v in found["values"]])
            for name, found in tree["metrics"].items()
        },
        (counts[0], counts[1]) if counts else None,
    )


def roi_options(scene: Scene, cells: Cells) -> RoiOptions:
    """How the cells of a scene are found."""
    return RoiOptions(cells.diameter, labels_input=scene.labels)


def measure(
    study: Study,
    scenes: Sequence[Scene],
    translated: Sequence[Path],
    progress: Progress = silent,
) -> tuple[Measured, Comparison | None]:
    """Judge the translations of all scenes.

    Parameters
    ----------
    study : Study
        Says what is measured.
    scenes : sequence of Scene
    translated : sequence of Path
        One a scene.
    progress : Progress
        Told of scenes.

    Returns
    -------
    (Measured, Comparison or None)
        Where cells are matched, also those of the first scene.
    """
    if study.cells is None:
        return _pixels(scenes, translated, progress), None
    values: dict[str, list[float]] = {}
    found = true = 0
    first = None
    for done, (scene, path) in enumerate(zip(scenes, translated, strict=True), 1):
        pair = scene.truth or scene.source, path
        comparison = compare_rois(*pair, roi_options(scene, study.cells), silent)
        first = first or comparison
        for name, summary in comparison.report.metrics.items():
            values.setdefault(name, []).extend(summary.values)
        found += comparison.report.count_output
        true += comparison.report.count_input
        progress("scenes", done, len(scenes))
    summaries = {name: summarize(several) for name, several in values.items()}
    return Measured(summaries, (found, true)), first


def _pixels(scenes: Sequence[Scene], translated: Sequence[Path], progress: Progress) -> Measured:
    values: dict[str, list[float]] = {name: [] for name in IMAGES}
    options = ImageOptions(normalize="percentile")
    for done, (scene, path) in enumerate(zip(scenes, translated, strict=True), 1):
        assert scene.truth is not None  # find_data has refused such scenes
        report = evaluate_images(path, scene.truth, options)
        for name in IMAGES:
            values[name] += report.metrics[name].values
        progress("scenes", done, len(scenes))
    return Measured({name: summarize(several) for name, several in values.items()})
