"""The page of ``evaluate compare``: methods side by side, as the paper's figures show them."""

from __future__ import annotations

from stable_tiles.evaluate.compare import CompareReport
from stable_tiles.evaluate.page import facts, figure, note, page, panels, section, table
from stable_tiles.evaluate.plots import boxes
from stable_tiles.evaluate.report import LABELS, STATISTICS, statistics_row, t_tests
from stable_tiles.provenance import versions


def compare_page(report: CompareReport) -> str:
    """The whole page."""
    names = list(report.methods)
    first = names[0]
    metrics = list(dict.fromkeys(m for r in report.methods.values() for m in r.metrics))
    plots, rows = [], []
    for metric in metrics:
        label = LABELS.get(metric, metric)
        found = {n: r.metrics[metric] for n, r in report.methods.items() if metric in r.metrics}
        stars = {t.b: t.stars for t in report.tests if t.metric == metric and t.a == first}
        values = {name: summary.values for name, summary in found.items()}
        plots.append(figure(boxes(values, label, stars), label))
        rows += [(label, *statistics_row(name, summary)) for name, summary in found.items()]
    files = [(name, f"{r.file}; sha256 {r.sha256}") for name, r in report.methods.items()]
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    return page(
        "Methods compared",
        f"{len(names)} methods: {', '.join(names)}. Signs above boxes compare with {first}.",
        [
            section(
                "Metrics",
                panels(plots),
                note(
                    "Boxes span the quartiles with the median, whiskers reach to the last value "
                    "within 1.5 times their range. Two-sample t tests: n.s. p > 0.05, * p ≤ 0.05, "
                    "** p < 0.01, *** p < 0.001."
                ),
            ),
            section("Statistics", table(("metric", "method", *STATISTICS), rows)),
            section("t tests", t_tests(report.tests)),
            section("What was compared", facts([*files, ("versions", used)])),
        ],
    )
