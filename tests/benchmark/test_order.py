from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.benchmark.order import Order, order, orders, verdict
from stable_tiles.benchmark.paper import STUDIES, study
from stable_tiles.errors import InputError

PAPER = {"stable": 3.3, "cyclegan": 8.98, "utom": 9.2}


def test_the_best_stands_first_whether_less_or_more_is_better() -> None:
    values = {"a": 1.0, "b": 3.0, "c": 2.0}
    nearest, overlap = order("distance", values, values), order("iou", values, values)
    assert nearest is not None
    assert overlap is not None
    assert (nearest.here, overlap.here) == (("a", "c", "b"), ("b", "c", "a"))


@pytest.mark.parametrize("values", list(permutations((1.0, 2.0, 3.0))))
def test_an_order_is_the_papers_only_if_every_two_lie_alike(values: tuple[float, ...]) -> None:
    found = order("distance", dict(zip(PAPER, values, strict=True)), PAPER)
    assert found is not None
    assert found.same == (values == (1.0, 2.0, 3.0))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=5, unique=True))
def test_an_order_is_its_own(values: list[float]) -> None:
    medians = {str(i): value for i, value in enumerate(values)}
    found = order("ssim", medians, medians)
    assert found is not None
    assert found.same
    assert found.here == found.paper


def test_methods_that_the_paper_does_not_tell_apart_may_lie_either_way() -> None:
    found = order("iou", {"a": 2.0, "b": 1.0, "c": 0.5}, {"a": 0.4, "b": 0.4, "c": 0.1})
    assert found is not None
    assert found.same


def test_two_that_are_equal_here_and_not_in_the_paper_are_no_order_of_the_paper() -> None:
    found = order("iou", {"a": 1.0, "b": 1.0}, {"a": 0.5, "b": 0.4})
    assert found is not None
    assert not found.same


def test_what_is_undefined_is_last() -> None:
    found = order("distance", {"stable": float("nan"), "cyclegan": 5.0}, PAPER)
    assert found is not None
    assert found.here == ("cyclegan", "stable")
    assert not found.same


def test_one_method_has_no_order() -> None:
    assert order("distance", {"stable": 1.0, "cut": 2.0}, PAPER) is None
    assert "no order to compare" in verdict(())


def test_the_verdict_is_plain() -> None:
    same = Order("distance", ("stable", "utom"), ("stable", "utom"), same=True)
    other = Order("iou", ("utom", "stable"), ("stable", "utom"), same=False)
    assert verdict([same]) == (
        "The order equals the paper's by centroid distance. "
        "stable is first by centroid distance, as in the paper."
    )
    assert verdict([same, other]) == (
        "The order equals the paper's by centroid distance, and not by IoU. stable, first in the "
        "paper, is first here by centroid distance alone: by IoU utom is."
    )
    assert verdict([other]) == (
        "The order is not the paper's by any metric (IoU). "
        "stable, first in the paper, is first here by no metric: by IoU utom is."
    )


@pytest.mark.parametrize("task", STUDIES)
def test_stable_is_first_in_every_table_of_the_paper(task: str) -> None:
    asked = study(task)
    names = {name for printed in asked.medians.values() for name in printed} | set(asked.counts)
    printed = {
        name: {m: v for m in asked.metrics if (v := asked.median(m, name)) is not None}
        for name in names
        if not name.startswith("ablation")
    }
    for found in orders(asked, printed):
        assert found.same
        assert found.here[0] == "stable"


def test_the_papers_ablation_improves_at_every_step() -> None:
    asked = study("calcium")
    names = [f"ablation-{number}" for number in (4, 3, 2, 1)]
    printed = {
        name: {m: v for m in ("distance", "iou") if (v := asked.median(m, name)) is not None}
        for name in names
    }
    assert [found.here for found in orders(asked, printed)] == [tuple(names)] * 2


def test_counts_are_told_as_their_error_in_percent() -> None:
    assert study("calcium").median("count_error", "stable") == pytest.approx(100 * 3 / 736)
    assert study("dapi").median("count_error", "munit") is None


def test_a_task_that_the_paper_has_not_is_refused() -> None:
    with pytest.raises(InputError, match="calcium, dapi, he, mri, penicillium, planaria"):
        study("zebra")
