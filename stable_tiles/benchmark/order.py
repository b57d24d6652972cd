"""Is the order of methods the paper's?  Said plainly, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan

from stable_tiles.benchmark.paper import LABELS as OWN_LABELS
from stable_tiles.benchmark.paper import LOWER_IS_BETTER, Study
from stable_tiles.evaluate.report import LABELS as KNOWN_LABELS

LABELS = {**KNOWN_LABELS, **OWN_LABELS}


@dataclass(frozen=True)
class Order:
    """Methods by one metric, the best first.

    Parameters
    ----------
    metric : str
    here, paper : tuple of str
        Those that have a median in both places; undefined ones last.
    same : bool
        Whether every two that the paper tells apart lie the same way here.
    """

    metric: str
    here: tuple[str, ...]
    paper: tuple[str, ...]
    same: bool


def order(metric: str, here: Mapping[str, float], paper: Mapping[str, float]) -> Order | None:
    """The order by one metric; None where fewer than two methods have both medians."""
    both = [name for name in here if name in paper]
    if len(both) < 2:
        return None
    costs = [{name: cost(metric, medians[name]) for name in both} for medians in (here, paper)]
    same = all(
        _sign(costs[0][a] - costs[0][b]) == _sign(costs[1][a] - costs[1][b])
        for a, b in combinations(both, 2)
        if costs[1][a] != costs[1][b]
    )
    ranked = [tuple(sorted(both, key=one.__getitem__)) for one in costs]
    return Order(metric, ranked[0], ranked[1], same)


def orders(study: Study, medians: Mapping[str, Mapping[str, float]]) -> tuple[Order, ...]:
    """The orders by all metrics.

    Parameters
    ----------
    study : Study
        Holds the paper's medians.
    medians : mapping of str to mapping of str to float
        Those found here, by method and metric.
    """
    found = []
    for metric in study.metrics:
        here = {name: values[metric] for name, values in medians.items() if metric in values}
        known = {name: study.median(metric, name) for name in here}
        paper = {name: value for name, value in known.items() if value is not None}
        found.append(order(metric, here, paper))
    return tuple(one for one in found if one is not None)


def cost(metric: str, median: float) -> float:
    """Less is better, and what is undefined is the worst."""
    if isnan(median):
        return float("inf")
    return median if metric in LOWER_IS_BETTER else -median


def verdict(found: Sequence[Order]) -> str:
    """Whether the orders are the paper's, and who is first, in words."""
    if not found:
        return "The paper prints no figures for two of these: there is no order to compare."
    same = [one for one in found if one.same]
    other = [one for one in found if not one.same]
    if not other:
        words = f"The order equals the paper's by {_all(same)}."
    elif not same:
        words = f"The order is not the paper's by any metric ({_names(other)})."
    else:
        words = f"The order equals the paper's by {_names(same)}, and not by {_names(other)}."
    return f"{words} {_first(found)}"


def _first(found: Sequence[Order]) -> str:
    """Where the paper's best is the best here."""
    best = {one.paper[0] for one in found}
    if len(best) > 1:
        return ""
    name = best.pop()
    won = [one for one in found if one.here[0] == name]
    if len(won) == len(found):
        return f"{name} is first by {_all(won)}, as in the paper."
    lost = "; ".join(f"by {_label(o)} {o.here[0]} is" for o in found if o.here[0] != name)
    where = f"by {_names(won)} alone" if won else "by no metric"
    return f"{name}, first in the paper, is first here {where}: {lost}."


def _all(found: Sequence[Order]) -> str:
    names = _names(found)
    return f"every metric compared ({names})" if len(found) > 1 else names


def _names(found: Sequence[Order]) -> str:
    return ", ".join(_label(one) for one in found)


def _label(one: Order) -> str:
    return LABELS[one.metric].split(",")[0]


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)
