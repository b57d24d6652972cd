"""The verb ``evaluate compare``: do two methods differ, and how surely?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from stable_tiles.errors import InputError, first_line
from stable_tiles.evaluate.summary import Summary, summarize

STARS = ((0.001, "***"), (0.01, "**"))
"""Significance below a p-value; up to 0.05 it is ``*``, above that n.s."""


@dataclass(frozen=True)
class TTest:
    """Student's two-sample t test of one metric between two methods.

    Parameters
    ----------
    metric, a, b : str
    n_a, n_b : int
        Finite values of either.
    t, p : float
        Two-sided, equal variances; NaN where a method has fewer than two
        values or none of the values differ.
    stars : str
        ``***`` for p < 0.001, ``**`` < 0.01, ``*`` <= 0.05, else ``n.s.``;
        ``n/a`` where p is NaN.
    """

    metric: str
    a: str
    b: str
    n_a: int
    n_b: int
    t: float
    p: float
    stars: str


@dataclass(frozen=True)
class Result:
    """What an evaluation wrote: its metrics, and which file that was.

    Parameters
    ----------
    file, sha256 : str
        Name, never the folder, and digest.
    metrics : dict of str to Summary
    """

    file: str
    sha256: str
    metrics: dict[str, Summary]


@dataclass(frozen=True)
class CompareReport:
    """Methods side by side.

    Parameters
    ----------
    methods : dict of str to Result
    tests : tuple of TTest
        For each metric that both have, every two methods.
    """

    methods: dict[str, Result]
    tests: tuple[TTest, ...]


def evaluate_compare(results: Sequence[str | Path]) -> CompareReport:
    """Test every two methods against each other, metric by metric.

    Parameters
    ----------
    results : sequence of path
        JSON documents of ``evaluate images`` or ``evaluate rois``, each as a
        path, or as ``NAME=PATH`` to name the method; else it is called as its
        file, or as its folder where files are called alike.

    Raises
    ------
    InputError
        If there are fewer than two, two of one name, or one that holds no metrics.
    """
    if len(results) < 2:
        raise InputError("evaluate compare: give two results or more")
    methods = {name: _read(path) for name, path in _named(results).items()}
    tests = tuple(
        t_test(metric, (a, methods[a].metrics[metric]), (b, methods[b].metrics[metric]))
        for metric in _metrics(methods)
        for a, b in combinations(methods, 2)
        if metric in methods[a].metrics and metric in methods[b].metrics
    )
    return CompareReport(methods, tests)


def t_test(metric: str, a: tuple[str, Summary], b: tuple[str, Summary]) -> TTest:
    """Student's two-sample t test between two named methods."""
    samples = [[v for v in summary.values if np.isfinite(v)] for _, summary in (a, b)]
    t = p = float("nan")
    if min(map(len, samples)) > 1 and any(len(set(sample)) > 1 for sample in samples):
        found = stats.ttest_ind(*samples)
        t, p = float(found.statistic), float(found.pvalue)
    return TTest(metric, a[0], b[0], len(samples[0]), len(samples[1]), t, p, stars(p))


def stars(p: float) -> str:
    """The paper's signs of significance."""
    if np.isnan(p):
        return "n/a"
    return next((sign for below, sign in STARS if p < below), "*" if p <= 0.05 else "n.s.")


def _metrics(methods: Mapping[str, Result]) -> list[str]:
    return list(dict.fromkeys(m for result in methods.values() for m in result.metrics))


def _named(results: Sequence[str | Path]) -> dict[str, Path]:
    given = [str(result).rpartition("=") for result in results]
    paths = [Path(path) for _, _, path in given]
    stems = [path.stem for path in paths]
    alike = len(set(stems)) < len(stems)
    names = [
        name or (path.resolve().parent.name if alike else path.stem)
        for (name, _, _), path in zip(given, paths, strict=True)
    ]
    if len(set(names)) < len(names):
        raise InputError(f"two results are called {names[0]}: name them, NAME=FILE.json")
    return dict(zip(names, paths, strict=True))


def _read(path: Path) -> Result:
    try:
        raw = path.read_bytes()
        metrics = json.loads(raw)["metrics"]
        values = {
            name: [float("nan") if v is None else float(v) for v in summary["values"]]
            for name, summary in metrics.items()
        }
    except OSError as error:
        raise InputError(f"no result {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} holds no metrics ({first_line(error)}): give what evaluate images or "
            "evaluate rois wrote with --json or --report"
        ) from None
    summaries = {name: summarize(numbers) for name, numbers in values.items()}
    return Result(path.name, hashlib.sha256(raw).hexdigest(), summaries)
