"""The page of a benchmark, laid out as the paper's figure of the task: pictures, boxes, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stable_tiles.benchmark.order import LABELS, Order
from stable_tiles.benchmark.results import GROUPS, Results, Row, compared
from stable_tiles.evaluate.page import (
    Html,
    facts,
    figure,
    note,
    number,
    page,
    panels,
    section,
    table,
)
from stable_tiles.evaluate.plots import boxes, counts
from stable_tiles.evaluate.report import STATISTICS, statistics_row, t_tests


@dataclass(frozen=True)
class Pictures:
    """PNGs of the first scene, of the first seed.

    Parameters
    ----------
    scene : mapping of str to bytes
        Input and truth, by what they are.
    translations, traces : mapping of str to bytes
        By variant.
    words : str
        What the translations' pictures show.
    """

    scene: Mapping[str, bytes]
    translations: Mapping[str, bytes]
    traces: Mapping[str, bytes] = field(default_factory=dict)
    words: str = ""


def benchmark_page(results: Results, pictures: Pictures) -> str:
    """The whole page."""
    sections = [
        section("Input and truth", panels([figure(png, n) for n, png in pictures.scene.items()]))
    ]
    for group, title in GROUPS.items():
        rows = results.group(group)
        if rows:
            sections += _group(results, title, rows, pictures)
    sections.append(_baselines(results))
    sections.append(section("What was done", facts(_facts(results))))
    lead = " ".join(f"{GROUPS[g]}: {words}" for g, words in results.verdicts.items())
    failed = "".join(f" {name} failed: {why}." for name, why in results.failed.items())
    title = f"Benchmark {results.task}, laid out as the paper's {results.figure}"
    return page(title, f"{lead}{failed}", sections)


def _group(results: Results, title: str, rows: Mapping[str, Row], pictures: Pictures) -> list[Html]:
    shown = [
        figure(pictures.translations[name], name) for name in rows if name in pictures.translations
    ]
    followed = [figure(pictures.traces[name], name) for name in rows if name in pictures.traces]
    parts = [panels(shown, wide=True), note(pictures.words)]
    if followed:
        words = "dF/F0 of the true cell nearest the centre (blue) and of its match (red), by frame."
        parts += [panels(followed, wide=True), note(words)]
    group = next(iter(rows.values())).group
    return [
        section(f"{title}: the same part of the first scene", *parts),
        section(
            f"{title}: metrics",
            panels(_plots(results, compared(results.rows, group)), wide=True),
            note(_LEGEND),
            _beside(rows),
            *_orders(results.orders.get(group, ())),
        ),
        section(f"{title}: statistics", _statistics(rows), *_tests(results, rows), _seeds(rows)),
    ]


_LEGEND = (
    "Points are cells, planes or, for the count, seeds. Boxes span the quartiles with the median, "
    "whiskers reach to the last value within 1.5 times their range. Signs: two-sample t test "
    "against the first; n.s. p > 0.05, * p ≤ 0.05, ** p < 0.01, *** p < 0.001."
)


def _plots(results: Results, rows: Mapping[str, Row]) -> list[Html]:
    plots = []
    cells = {
        name: int(next(iter(row.seeds.values()))["cells_found"])
        for name, row in rows.items()
        if row.seeds and "cells_found" in next(iter(row.seeds.values()))
    }
    if cells:
        seed, first = next(iter(next(iter(rows.values())).seeds.items()))
        bars = {"truth": int(first["cells_true"]), **cells}
        plots.append(figure(counts(bars, "cells"), f"Number of cells, seed {seed}"))
    for metric in _metrics(rows):
        if metric == "count_error" and cells:
            continue  # bars show it
        groups = {n: r.metrics[metric].values for n, r in rows.items() if metric in r.metrics}
        stars = {test.b: test.stars for test in results.tests if test.metric == metric}
        plots.append(figure(boxes(groups, LABELS[metric], stars), LABELS[metric]))
    return plots


def _beside(rows: Mapping[str, Row]) -> Html:
    """Medians found here, each with the paper's."""
    metrics = _metrics(rows)
    lines = []
    for name, row in rows.items():
        line = [name if row.same_as is None else f"{name} (is {row.same_as})"]
        for metric in metrics:
            here, printed = row.metrics.get(metric), row.paper.get(metric)
            beside = "" if printed is None else f" ({number(printed)})"
            line.append(f"{number(here.median) if here else '-'}{beside}")
        lines.append(line)
    return table(("median (the paper's)", *(LABELS[metric] for metric in metrics)), lines)


def _orders(found: Sequence[Order]) -> list[Html]:
    """Methods from the best to the worst, here and in the paper."""
    if not found:
        return []
    lines = [
        (LABELS[one.metric], ", ".join(one.here), ", ".join(one.paper), "yes" if one.same else "no")
        for one in found
    ]
    return [table(("best first", "here", "in the paper", "the same"), lines)]


def _metrics(rows: Mapping[str, Row]) -> list[str]:
    return list(dict.fromkeys(metric for row in rows.values() for metric in row.metrics))


def _statistics(rows: Mapping[str, Row]) -> Html:
    lines = [
        (LABELS[metric], *statistics_row(name, row.metrics[metric]))
        for metric in _metrics(rows)
        for name, row in rows.items()
        if metric in row.metrics
    ]
    return table(("metric", "method", *STATISTICS), lines)


def _tests(results: Results, rows: Mapping[str, Row]) -> list[Html]:
    among = [test for test in results.tests if test.a in rows and test.b in rows]
    return [t_tests(among, LABELS)] if among else []


def _seeds(rows: Mapping[str, Row]) -> Html:
    """Medians of every training by itself."""
    known = [one for row in rows.values() for one in row.seeds.values()]
    metrics = list(dict.fromkeys(metric for one in known for metric in one))
    lines = [
        (name, f"seed {seed}", *(number(one.get(m, float("nan"))) for m in metrics))
        for name, row in rows.items()
        for seed, one in row.seeds.items()
    ]
    heads = (LABELS.get(m, m.replace("_", " ")) for m in metrics)
    return table(("method", "training", *heads), lines)


def _baselines(results: Results) -> Html:
    """What no training is needed for: the input as it is, and the truth by the same measure."""
    rows = results.group("")
    words = {
        "input": "input: the untranslated image in place of a translation.",
        "truth": "truth: the true image in place of a translation; no method can be judged better.",
    }
    told = note(" ".join(text for name, text in words.items() if name in rows))
    return section("Without any training", _beside(rows), told)


def _facts(results: Results) -> list[tuple[str, str]]:
    rows = [
        (name.replace("_", " "), ", ".join(f"{k} {v}" for k, v in value.items()))
        if isinstance(value, Mapping)
        else (name.replace("_", " "), str(value))
        for name, value in results.setup.items()
    ]
    sizes = {
        name: f"{row.parameters / 1e6:.3g} M"
        for name, row in results.rows.items()
        if row.parameters
    }
    changes = [
        (name, ", ".join(row.settings)) for name, row in results.rows.items() if row.settings
    ]
    return [
        ("compared with", results.reference),
        ("beside the paper", results.note),
        *rows,
        ("parameters of a translator", ", ".join(f"{k} {v}" for k, v in sizes.items())),
        *changes,
    ]
