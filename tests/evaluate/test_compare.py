from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats
from stable_tiles_cli.main import main

from stable_tiles.errors import InputError
from stable_tiles.evaluate.compare import evaluate_compare, stars

RNG = np.random.default_rng(0)


def result(path: Path, **metrics: list[float | None]) -> Path:
    """What an evaluation writes, as far as a comparison reads it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"metrics": {m: {"values": v} for m, v in metrics.items()}}))
    return path


def test_the_test_is_students_of_two_samples(tmp_path: Path) -> None:
    a, b = RNG.normal(1, 1, 30), RNG.normal(1.5, 1, 40)
    files = [
        result(tmp_path / "ours.json", iou=[*a, None]),
        result(tmp_path / "theirs.json", iou=[*b], ssim=[0.5]),
    ]
    report = evaluate_compare(files)
    (test,) = report.tests
    expected = stats.ttest_ind(a, b)
    assert (test.metric, test.a, test.b, test.n_a, test.n_b) == ("iou", "ours", "theirs", 30, 40)
    assert (test.t, test.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert test.stars == stars(expected.pvalue)
    assert report.methods["ours"].metrics["iou"].n == 30


@pytest.mark.parametrize(
    ("p", "sign"),
    [(0.0009, "***"), (0.001, "**"), (0.009, "**"), (0.01, "*"), (0.05, "*"), (0.051, "n.s.")],
)
def test_stars_are_those_of_the_paper(p: float, sign: str) -> None:
    assert stars(p) == sign


@pytest.mark.parametrize(
    ("a", "b"), [([1.0], [1.0, 2.0]), ([], [1.0, 2.0]), ([3.0, 3.0], [3.0, 3.0])]
)
def test_where_nothing_can_be_tested_there_is_no_sign(
    tmp_path: Path, a: list[float | None], b: list[float | None]
) -> None:
    (test,) = evaluate_compare(
        [result(tmp_path / "a.json", x=a), result(tmp_path / "b.json", x=b)]
    ).tests
    assert np.isnan(test.p)
    assert test.stars == "n/a"


def test_methods_are_called_as_asked_as_their_files_or_as_their_folders(tmp_path: Path) -> None:
    files = [result(tmp_path / name / "result.json", x=[1.0, 2.0]) for name in ("one", "two")]
    assert list(evaluate_compare(files).methods) == ["one", "two"]
    assert list(evaluate_compare([f"A={files[0]}", files[1]]).methods) == ["A", "two"]
    with pytest.raises(InputError, match="NAME=FILE"):
        evaluate_compare([files[0], files[0]])


@pytest.mark.parametrize("text", ["no json", "[]", "{}", '{"metrics": {"x": 1}}'])
def test_what_holds_no_metrics_is_refused(tmp_path: Path, text: str) -> None:
    good, bad = result(tmp_path / "good.json", x=[1.0]), tmp_path / "bad.json"
    bad.write_text(text)
    with pytest.raises(InputError, match="holds no metrics"):
        evaluate_compare([good, bad])
    with pytest.raises(InputError, match="no result"):
        evaluate_compare([good, tmp_path / "absent.json"])
    with pytest.raises(InputError, match="two results"):
        evaluate_compare([good])


def test_the_command_prints_one_json_document(tmp_path: Path) -> None:
    files = [str(result(tmp_path / f"{n}.json", x=[1.0, n, 3.0])) for n in (1, 2)]
    done = CliRunner().invoke(main, ["evaluate", "compare", *files, "--json", "--quiet"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["methods"]["1"]["metrics"]["x"]["n"] == 3
    assert document["tests"][0]["stars"] == "n.s."
    assert str(tmp_path) not in done.stdout
