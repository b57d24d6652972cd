from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from stable_tiles.benchmark import page
from stable_tiles.benchmark.measure import Measured
from stable_tiles.benchmark.paper import study
from stable_tiles.benchmark.plan import plan
from stable_tiles.benchmark.results import Found, Results, results
from stable_tiles.evaluate.summary import summarize
from tests.benchmark.small import options


def judged(distances: Mapping[str, Sequence[float]]) -> Results:
    """A benchmark of those variants that came to these distances, pixels."""
    planned = plan("calcium", options(tuned=True))
    trials = {
        (name, 0): Measured({"distance": summarize(values)}, None)
        for name, values in distances.items()
    }
    found = Found(trials, {}, {}, {})
    return results("calcium", study("calcium"), planned, found, {"reference": "truth"})


@pytest.mark.parametrize(
    ("published", "tuned", "shown"),
    [(5.0, 4.0, "cyclegan-tuned"), (4.0, 5.0, "cyclegan"), (float("nan"), 5.0, "cyclegan-tuned")],
)
def test_of_two_settings_of_a_rival_the_better_is_compared(
    published: float, tuned: float, shown: str
) -> None:
    found = judged({"stable": [1.0], "cyclegan": [published], "cyclegan-tuned": [tuned]})
    assert list(found.group("methods")) == ["stable", shown]
    assert set(found.group("worse")) == {"cyclegan", "cyclegan-tuned"} - {shown}
    assert [one.here for one in found.orders["methods"]] == [("stable", shown)]
    assert found.rows[shown].paper["distance"] == 8.98
    assert {test.b for test in found.tests} == {shown}


def test_a_rival_whose_other_training_failed_is_still_compared() -> None:
    found = judged({"stable": [1.0], "cyclegan-tuned": [3.0]})
    assert list(found.group("methods")) == ["stable", "cyclegan-tuned"]
    assert not found.group("worse")


def test_the_page_has_no_table_of_no_tests_and_no_p_of_zero() -> None:
    told = judged(
        {
            "stable": [1.0, 1.0, 1.01] * 500,
            "cyclegan": [50.0, 50.01] * 750,
            "cyclegan-tuned": [40.0, 40.01] * 750,
        }
    )
    assert [test.p for test in told.tests] == [0.0]
    html = page.benchmark_page(told, page.Pictures({}, {}))
    assert "Rivals by the worse" in html
    assert html.count(">against<") == 1
    assert "&lt; 1e-300" in html


@pytest.mark.parametrize(
    ("task", "shown"), [("penicillium", {"stable", "input"}), ("mri", {"stable"})]
)
def test_doing_nothing_is_drawn_where_the_paper_compares_with_it(
    task: str, shown: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[set[str]] = []

    def boxes(groups: Mapping[str, object], *_: object) -> bytes:
        drawn.append(set(groups))
        return b""

    monkeypatch.setattr(page, "boxes", boxes)
    measured = Measured({"rmse": summarize([0.5]), "pcc": summarize([0.5])})
    planned = plan(task, options(methods=("stable",)))
    found = Found({("stable", 0): measured}, {}, {"input": measured}, {})
    told = results(task, study(task), planned, found, {"reference": "truth"})
    page.benchmark_page(told, page.Pictures({}, {}))
    assert drawn == [shown, shown]
