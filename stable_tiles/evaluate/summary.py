"""What is said of many values: how they are spread, and how surely the mean is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
"""Of the interval that holds the mean."""


@dataclass(frozen=True)
class Summary:
    """Values and their statistics, as the paper's tables give them.

    Parameters
    ----------
    n : int
        Number of finite values; the statistics are of these.
    mean, median, sd, sem : float
        `sd` has n - 1 in its denominator; ``sem = sd / sqrt(n)``.
    ci95 : (float, float)
        95 % confidence interval of the mean, by Student's t.
    values : tuple of float
        All values in order, NaN (undefined) and infinite ones included.

    Notes
    -----
    Where too few values make a statistic undefined, it is NaN.
    """

    n: int
    mean: float
    median: float
    sd: float
    sem: float
    ci95: tuple[float, float]
    values: tuple[float, ...]


def summarize(values: Sequence[float]) -> Summary:
    """The statistics of some values; those that are not finite count as not measured."""
    everything = tuple(map(float, values))
    known = np.array([v for v in everything if np.isfinite(v)])
    nan = float("nan")
    if not len(known):
        return Summary(0, nan, nan, nan, nan, (nan, nan), everything)
    mean, n = float(known.mean()), len(known)
    sd = float(known.std(ddof=1)) if n > 1 else nan
    sem = sd / n**0.5
    half = sem * float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) if n > 1 else nan
    return Summary(
        n, mean, float(np.median(known)), sd, sem, (mean - half, mean + half), everything
    )
