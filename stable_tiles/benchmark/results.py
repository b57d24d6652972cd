"""The document of a benchmark: figures of every variant over all seeds, the paper's beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stable_tiles.benchmark.measure import Measured
from stable_tiles.benchmark.order import Order, cost, orders, verdict
from stable_tiles.benchmark.paper import TUNED_SUFFIX, Study
from stable_tiles.benchmark.plan import Plan, Variant
from stable_tiles.evaluate.compare import TTest, t_test
from stable_tiles.evaluate.summary import Summary, summarize

GROUPS = {
    "methods": "Methods",
    "worse": "Rivals by the worse of their two settings",
    "ablation": "Ablation and variants of STABLE",
    "features": "Channels of the feature map",
    "weights": "Weights of the losses",
    "data": "Share of the training images",
}
"""Titles of what is compared with each other."""


@dataclass(frozen=True)
class Row:
    """What a variant reached.

    Parameters
    ----------
    group : str
        See `GROUPS`; empty for what was not trained.
    settings : tuple of str
        What it changes of the config.
    same_as : str or None
        A variant with the same settings, whose trainings these are.
    parameters : int or None
        Of the translator, one direction.
    metrics : dict of str to Summary
        Over all cells or planes of all seeds; ``count_error`` has one value a
        seed, the difference of cells found and true in percent of the true.
    seeds : dict of str to dict of str to float
        Medians of each seed by its number, and cells found and true.
    paper : dict of str to float
        The paper's medians.
    """

    group: str
    settings: tuple[str, ...]
    same_as: str | None
    parameters: int | None
    metrics: dict[str, Summary]
    seeds: dict[str, dict[str, float]]
    paper: dict[str, float]


@dataclass(frozen=True)
class Results:
    """All that a benchmark found; the same every time, so no times and no machine.

    Parameters
    ----------
    task, figure, note, reference : str
        The paper's figure, what differs from it, and what translations are compared with.
    setup : dict
        Config, steps, images seen, seeds, data, precision, versions.
    rows : dict of str to Row
        By variant; also ``input`` (doing nothing) and, where cells are found, ``truth``.
    tests : tuple of TTest
        Of every two variants of a group.
    orders : dict of str to tuple of Order
        By group.
    verdicts : dict of str to str
        By group: whether the order is the paper's.
    failed : dict of str to str
        Trainings that failed, and why.
    """

    task: str
    figure: str
    note: str
    reference: str
    setup: dict[str, Any]
    rows: dict[str, Row]
    tests: tuple[TTest, ...]
    orders: dict[str, tuple[Order, ...]]
    verdicts: dict[str, str]
    failed: dict[str, str] = field(default_factory=dict)

    def group(self, name: str) -> dict[str, Row]:
        """The rows that are compared with each other."""
        return _members(self.rows, name)


def compared(rows: Mapping[str, Row], group: str) -> dict[str, Row]:
    """The rows of a group; doing nothing stands among the methods where the paper has it."""
    among = _members(rows, group)
    if group == "methods" and "input" in rows and rows["input"].paper:
        among["input"] = rows["input"]
    return among


@dataclass(frozen=True)
class Found:
    """What trials and baselines came to.

    Parameters
    ----------
    trials : mapping of (str, int) to Measured
        By variant and seed.
    parameters : mapping of str to int
        By variant.
    baselines : mapping of str to Measured
        ``input`` and ``truth``.
    failed : mapping of str to str
    """

    trials: Mapping[tuple[str, int], Measured]
    parameters: Mapping[str, int]
    baselines: Mapping[str, Measured]
    failed: Mapping[str, str]


def results(task: str, study: Study, plan: Plan, found: Found, setup: Mapping[str, Any]) -> Results:
    """Put together what was measured.

    Parameters
    ----------
    task : str
    study : Study
    plan : Plan
        Variants in the order of the tables.
    found : Found
    setup : mapping
        What is to be said of data and settings; ``reference`` among it.
    """
    rows = {v.name: _row(study, v, plan, found) for v in plan.variants}
    rows = {name: row for name, row in rows.items() if row.metrics}
    for name in _worse(study, rows):
        rows[name] = replace(rows[name], group="worse")
    for name, measured in found.baselines.items():
        pooled = _pooled(study, [measured])
        rows[name] = Row("", (), None, None, pooled, {}, _paper(study, name))
    groups = [group for group in GROUPS if any(row.group == group for row in rows.values())]
    ranked = [group for group in groups if group != "worse"]
    ordered = {group: orders(study, _medians(rows, group)) for group in ranked}
    told = dict(setup)
    return Results(
        task=task,
        figure=study.figure,
        note=study.note,
        reference=told.pop("reference"),
        setup=told,
        rows=rows,
        tests=tuple(test for group in ranked for test in _tests(rows, group)),
        orders=ordered,
        verdicts={
            group: verdict(one)
            for group, one in ordered.items()
            if one or group in {"methods", "ablation"}
        },
        failed=dict(found.failed),
    )


def _worse(study: Study, rows: Mapping[str, Row]) -> list[str]:
    """Of every method that has two settings the one that is worse by the study's first metric."""
    metric, found = study.metrics[0], []
    for name, row in rows.items():
        tuned = f"{name}{TUNED_SUFFIX}"
        if tuned in rows:
            costs = [
                cost(metric, one.metrics[metric].median) if metric in one.metrics else float("inf")
                for one in (row, rows[tuned])
            ]
            found.append(name if costs[1] < costs[0] else tuned)
    return found


def _row(study: Study, variant: Variant, plan: Plan, found: Found) -> Row:
    origin = plan.same.get(variant.name, variant.name)
    by_seed = {seed: one for (name, seed), one in found.trials.items() if name == origin}
    return Row(
        group=variant.group,
        settings=variant.overrides,
        same_as=plan.same.get(variant.name),
        parameters=found.parameters.get(origin),
        metrics=_pooled(study, list(by_seed.values())),
        seeds={str(seed): _one_seed(study, one) for seed, one in by_seed.items()},
        paper=_paper(study, variant.name),
    )


def _pooled(study: Study, several: Sequence[Measured]) -> dict[str, Summary]:
    pooled = {}
    for metric in study.metrics:
        values = [value for one in several for value in _values(metric, one)]
        if values:
            pooled[metric] = summarize(values)
    return pooled


def _values(metric: str, measured: Measured) -> tuple[float, ...]:
    if metric == "count_error" and measured.counts:
        found, true = measured.counts
        return (100 * abs(found / true - 1) if true else float("nan"),)
    return measured.metrics[metric].values if metric in measured.metrics else ()


def _one_seed(study: Study, measured: Measured) -> dict[str, float]:
    medians = {name: one.median for name, one in _pooled(study, [measured]).items()}
    counts = measured.counts
    return medians | ({"cells_found": counts[0], "cells_true": counts[1]} if counts else {})


def _paper(study: Study, name: str) -> dict[str, float]:
    printed = {metric: study.median(metric, name) for metric in study.metrics}
    return {metric: value for metric, value in printed.items() if value is not None}


def _members(rows: Mapping[str, Row], group: str) -> dict[str, Row]:
    return {name: row for name, row in rows.items() if row.group == group}


def _medians(rows: Mapping[str, Row], group: str) -> dict[str, dict[str, float]]:
    """By method and metric."""
    among = compared(rows, group)
    return {name: {m: s.median for m, s in row.metrics.items()} for name, row in among.items()}


def _tests(rows: Mapping[str, Row], group: str) -> list[TTest]:
    """The first of a group against all others."""
    names = list(_members(rows, group))
    return [
        t_test(metric, (names[0], rows[names[0]].metrics[metric]), (name, summary))
        for name in names[1:]
        for metric, summary in rows[name].metrics.items()
        if metric in rows[names[0]].metrics
    ]
