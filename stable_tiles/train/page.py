"""The run's page: losses, previews, troubles, data and settings, written anew as training goes.

One file that stands alone, from the run's own log; nothing of it is read back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from stable_tiles.evaluate.page import Html, facts, figure, note, number, page, panels, section
from stable_tiles.provenance import versions
from stable_tiles.settings import dump_tree
from stable_tiles.train.training import Training

POINTS = 300
"""Most points of a curve: each is the mean of its share of the log's lines."""

_PREVIEW = (
    "A row a patch: the input, its translation, that translated back where both ways were "
    "learnt, and a patch of the other domain."
)

_WIDTH, _HEIGHT, _EDGE = 320, 120, 4

Line = Mapping[str, Any]
Curve = list[tuple[int, float]]


def write_page(training: Training, step: int) -> None:
    """Write the page of a run as it is after `step` steps; it appears whole."""
    run, settings = training.run, training.settings
    previews = sorted(run.previews.glob("step-*.png"))
    text = run_page(
        f"{run.path.resolve().name}: {settings.method}, step {step} of {settings.training.steps}",
        training.log.lines(),
        previews[-1].read_bytes() if previews else None,
        [*training.inputs.items(), *_flat("", dump_tree(settings))],
    )
    partial = run.page.with_name(f"{run.page.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, run.page)


def run_page(
    title: str, lines: Sequence[Line], preview: bytes | None, told: Sequence[tuple[str, Any]]
) -> str:
    """The page.

    Parameters
    ----------
    title : str
        Run, method and step.
    lines : sequence of mapping
        Of ``log.jsonl``.
    preview : bytes or None
        The newest preview, a PNG.
    told : sequence of (str, value)
        Digests of the data, and the settings.
    """
    troubles = [f"step {line['step']}: {line['trouble']}" for line in lines if "trouble" in line]
    pictures = [] if preview is None else [figure(preview, _PREVIEW)]
    groups = [
        ("Losses", _curves(line for line in lines if "rates" in line)),
        ("Held-out images", _curves(_group(lines, "validation"))),
        ("Measures of the previews", _changing(_curves(_group(lines, "preview")))),
    ]
    return page(
        title,
        _lead(lines, troubles),
        [
            *([section("Trouble", *map(note, troubles))] if troubles else []),
            *([section("Newest preview", *pictures)] if pictures else []),
            *(section(name, _plots(curves)) for name, curves in groups if curves),
            section(
                "Data, settings, versions",
                facts([(name, str(value)) for name, value in (*told, *versions().items())]),
            ),
        ],
    )


def _lead(lines: Sequence[Line], troubles: Sequence[str]) -> str:
    rated = [line for line in lines if "rates" in line]
    if not rated:
        return "No losses yet."
    seconds = sum(line["rates"]["seconds"] for line in rated)
    rate = rated[-1]["rates"]["steps_per_second"]
    speed = f", {number(rate)} steps a second at last" if rate else ""
    found = f" Troubles: {len(troubles)}." if troubles else " No trouble was found."
    return f"{number(seconds / 60)} minutes of training{speed}.{found}"


def _group(lines: Sequence[Line], name: str) -> Iterator[Line]:
    """The lines that hold a group of measures, these in place of it."""
    for line in lines:
        if name in line:
            yield {"step": line["step"], **dict(_flat("", line[name]))}


def _curves(lines: Iterator[Line]) -> dict[str, Curve]:
    """Every number of the lines over the steps, by its name."""
    found: dict[str, Curve] = {}
    for line in lines:
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float):
                found.setdefault(name, []).append((line["step"], value))
    return found


def _changing(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """Those that are no constants, such as what is measured of the inputs."""
    return {name: curve for name, curve in curves.items() if len({v for _, v in curve}) > 1}


def _flat(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Leaves by the names of all branches that lead to them, joined by dots."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _plots(curves: Mapping[str, Curve]) -> Html:
    return panels([_plot(name, _thinned(curve)) for name, curve in curves.items()], wide=True)


def _thinned(curve: Curve) -> Curve:
    size = -(-len(curve) // POINTS)
    parts = (curve[first : first + size] for first in range(0, len(curve), size))
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


def _plot(name: str, curve: Curve) -> Html:
    """A curve as a drawing, its ends and its range in words."""
    steps, values = zip(*curve, strict=True)
    low, high = min(values), max(values)
    wide, tall = (steps[-1] - steps[0]) or 1, (high - low) or 1
    points = (
        (
            _EDGE + (_WIDTH - 2 * _EDGE) * (step - steps[0]) / wide,
            _EDGE + (_HEIGHT - 2 * _EDGE) * (high - value) / tall,
        )
        for step, value in curve
    )
    path = " ".join(f"{part:.1f}" for part in chain.from_iterable(points))
    words = (
        f"{name}: {number(values[-1])} at step {steps[-1]}, from {number(values[0])}; "
        f"{number(low)} to {number(high)}"
    )
    caption = note(words).text
    return Html(
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img">'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#f4f4f4"/>'
        f'<polyline fill="none" stroke="#00798c" stroke-width="1.5" points="{path}"/></svg>'
        f"{caption}</figure>"
    )
