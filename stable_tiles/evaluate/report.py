"""Reports on disk: a folder with a page and the numbers, there as a whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_tiles.document import document
from stable_tiles.errors import InputError, OutputExists
from stable_tiles.evaluate.compare import TTest
from stable_tiles.evaluate.page import Html, number, table
from stable_tiles.evaluate.summary import Summary

PAGE, NUMBERS = "report.html", "result.json"

STATISTICS = ("n", "mean", "median", "SD", "SEM", "95 % CI")

LABELS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "pcc": "PCC",
    "distance": "centroid distance, px",
    "iou": "IoU",
    "trace_pcc": "PCC of traces",
    "dff_pcc": "PCC of dF/F0",
}
"""What axes and tables call the metrics."""


@dataclass(frozen=True)
class Target:
    """Where a report goes.

    Parameters
    ----------
    folder : Path
        ``report.html`` and ``result.json`` are written there.
    overwrite : bool
        Whether a report of that name may be replaced.

    Raises
    ------
    OutputExists
        If there is something already and it may not be replaced.
    InputError
        If it is to be replaced but is no report.
    """

    folder: Path
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.folder.exists():
            return
        if not self.overwrite:
            raise OutputExists(f"{self.folder} exists: give another --report, or --overwrite")
        if not (self.folder / PAGE).is_file() and (
            not self.folder.is_dir() or any(self.folder.iterdir())
        ):
            raise InputError(f"{self.folder} is no report: give another --report")

    def write(self, html: str, result: Any) -> None:
        """Write the page and the numbers, then give the folder its name."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        partial = self.folder.with_name(self.folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        (partial / PAGE).write_text(html, encoding="utf-8")
        (partial / NUMBERS).write_text(document(result) + "\n", encoding="utf-8")
        if self.folder.exists():
            old = self.folder.with_name(self.folder.name + ".replaced")
            shutil.rmtree(old, ignore_errors=True)
            self.folder.rename(old)
            partial.rename(self.folder)
            shutil.rmtree(old)
        else:
            partial.rename(self.folder)


def statistics(rows: Mapping[str, Summary], head: str = "") -> Html:
    """A table of statistics, one named row each."""
    return table((head, *STATISTICS), [statistics_row(name, row) for name, row in rows.items()])


def statistics_row(name: str, row: Summary) -> tuple[str, ...]:
    """One row of the table: as the paper's tables give them."""
    low, high = row.ci95
    middle = (row.mean, row.median, row.sd, row.sem)
    return (name, str(row.n), *map(number, middle), f"{number(low)} … {number(high)}")


def t_tests(tests: Iterable[TTest], labels: Mapping[str, str] = LABELS) -> Html:
    """A table of t tests; a p value that is too small for a double is no zero."""
    lines = [
        (
            labels.get(t.metric, t.metric),
            t.a,
            t.b,
            f"{t.n_a}, {t.n_b}",
            number(t.t),
            number(t.p) if t.p != 0 else "< 1e-300",
            t.stars,
        )
        for t in tests
    ]
    return table(("metric", "method", "against", "n", "t", "p", ""), lines)
