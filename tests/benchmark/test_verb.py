from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stable_tiles.benchmark.verb import BenchmarkReport, benchmark
from stable_tiles.errors import FingerprintMismatch, Interrupted, OutputExists, WorkFailed
from stable_tiles.simulate.plan import SimulateOptions
from stable_tiles.simulate.verb import simulate
from tests.benchmark.small import TINY, options


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Bits of a training depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "calcium"
    simulate("calcium", folder, SimulateOptions(size=64, count=1, frames=3))
    return folder


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BenchmarkReport]:
    """A benchmark that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    return folder, benchmark("calcium", folder, options(data))


def test_all_methods_are_measured_and_the_papers_figures_stand_beside(
    whole: tuple[Path, BenchmarkReport],
) -> None:
    folder, report = whole
    tree = json.loads((folder / "results.json").read_text())
    assert list(tree["rows"]) == ["stable", "cyclegan", "input", "truth"]
    assert tree["rows"]["stable"]["paper"]["distance"] == 3.3
    for row in tree["rows"].values():
        assert set(row["metrics"]) <= {"distance", "iou", "trace_pcc", "count_error"}
    assert tree["rows"]["truth"]["metrics"]["iou"]["median"] > 0.85
    assert tree["rows"]["truth"]["metrics"]["trace_pcc"]["median"] > 0.99
    assert tree["rows"]["stable"]["seeds"]["0"]["cells_true"] > 3
    assert tree["setup"]["images_seen"] == report.images_seen == 6
    assert tree["reference"] == "cells of test/nuclei, in the true images"
    assert (report.trainings, report.finished) == (2, 0)
    assert "the paper" in report.verdicts["methods"]
    assert "seconds" not in (folder / "results.json").read_text()
    assert json.loads((folder / "times.json").read_text())["trainings"]["stable-0"]["steps"] == 6


def test_the_page_needs_nothing_else_and_names_no_folder(
    whole: tuple[Path, BenchmarkReport], data: Path
) -> None:
    html = (whole[0] / "report.html").read_text()
    assert set(re.findall(r'src="(.{5})', html)) == {"data:"}
    assert not re.search(r"<script|https?://|url\(|<link", html)
    assert str(data) not in html
    assert str(whole[0]) not in html
    for words in (
        "Figure 2",
        "8.98",
        "best first",
        "Number of cells",
        whole[1].verdicts["methods"],
    ):
        assert words.replace("'", "&#x27;") in html


@pytest.mark.parametrize("stage", ["stable-0: scenes", "cyclegan-0: steps"])
def test_killed_and_started_again_it_comes_to_the_same_bytes(
    stage: str, whole: tuple[Path, BenchmarkReport], data: Path, tmp_path: Path
) -> None:
    def kill(what: str, done: int, total: int) -> None:
        if what == stage and done == min(3, total):
            os.kill(os.getpid(), signal.SIGINT)

    told: list[str] = []
    with pytest.raises(Interrupted):
        benchmark("calcium", tmp_path / "out", options(data), kill)
    assert not (tmp_path / "out" / "results.json").exists()
    report = benchmark(
        "calcium", tmp_path / "out", options(data), lambda what, *_: told.append(what)
    )
    assert report.finished == int(stage.startswith("cyclegan"))
    assert ("stable-0: steps" in told) is False
    again = (tmp_path / "out" / "results.json").read_bytes()
    assert again == (whole[0] / "results.json").read_bytes()


def test_a_finished_one_is_kept_and_may_be_added_to(
    whole: tuple[Path, BenchmarkReport], data: Path
) -> None:
    folder = whole[0]
    with pytest.raises(OutputExists, match="--resume to add methods or seeds"):
        benchmark("calcium", folder, options(data))
    with pytest.raises(FingerprintMismatch, match="another --steps:"):
        benchmark("calcium", folder, options(data, steps=7, existing="resume"))
    with pytest.raises(FingerprintMismatch, match="another --data:"):
        benchmark("calcium", folder, options(existing="resume"))
    before = (folder / "results.json").read_bytes()
    report = benchmark("calcium", folder, options(data, existing="resume"))
    assert (report.trainings, report.finished) == (2, 2)
    assert (folder / "results.json").read_bytes() == before


def test_a_rival_may_join_later_with_settings_of_its_own_that_stay(
    data: Path, tmp_path: Path
) -> None:
    shared = tuple(one for one in TINY if not one.startswith("cyclegan."))
    alone = options(data, methods=("stable",), overrides=shared)
    benchmark("calcium", tmp_path / "out", alone)
    joined = options(data, existing="resume")
    report = benchmark("calcium", tmp_path / "out", joined)
    assert (report.trainings, report.finished) == (2, 1)
    figures = tmp_path / "out" / "trials" / "cyclegan-0" / "measured.json"
    before = figures.read_bytes()
    wider = replace(joined, overrides=(*TINY, "cyclegan.network.width=8"))
    for asked in (wider, replace(wider, dry_run=True)):
        with pytest.raises(FingerprintMismatch, match="cyclegan-0 was done with other settings"):
            benchmark("calcium", tmp_path / "out", asked)
    assert figures.read_bytes() == before
    other = replace(joined, overrides=(*TINY, "losses.cycle=3"))
    with pytest.raises(FingerprintMismatch, match="another --config or --set"):
        benchmark("calcium", tmp_path / "out", other)


def test_what_is_no_benchmark_is_never_touched(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    for existing in ("resume", "overwrite"):
        with pytest.raises(OutputExists, match="is no benchmark"):
            benchmark("calcium", tmp_path, options(data, existing=existing))
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_several_at_once_come_to_the_same_bytes(
    whole: tuple[Path, BenchmarkReport], data: Path, tmp_path: Path
) -> None:
    benchmark("calcium", tmp_path / "out", options(data, workers=2))
    again = (tmp_path / "out" / "results.json").read_bytes()
    assert again == (whole[0] / "results.json").read_bytes()


def test_one_that_fails_does_not_stop_the_others(data: Path, tmp_path: Path) -> None:
    def fail(what: str, done: int, total: int) -> None:
        if what == "stable-0: steps" and done == 2:
            raise WorkFailed("loss is not finite")

    with pytest.raises(WorkFailed, match=r"1 of 2 trainings failed \(stable-0: loss"):
        benchmark("calcium", tmp_path / "out", options(data), fail)
    html = (tmp_path / "out" / "report.html").read_text()
    assert "stable-0 failed: loss is not finite" in html
    assert not (tmp_path / "out" / "results.json").exists()
    assert (tmp_path / "out" / "trials" / "cyclegan-0" / "measured.json").exists()


def test_pixels_are_compared_where_the_paper_counts_no_cells(data: Path, tmp_path: Path) -> None:
    report = benchmark("penicillium", tmp_path / "out", options(data, methods=("stable",)))
    tree = json.loads((tmp_path / "out" / "results.json").read_text())
    assert set(tree["rows"]["stable"]["metrics"]) == {"rmse", "mae", "psnr", "ssim", "pcc"}
    assert tree["rows"]["input"]["paper"]["rmse"] == 0.134
    assert [set(one["here"]) for one in tree["orders"]["methods"]] == [{"stable", "input"}] * 5
    assert report.trainings == 1


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    report = benchmark("calcium", tmp_path / "out", options(dry_run=True, ablation=True))
    assert report.dry_run
    assert report.trainings == 7
    assert report.simulated_bytes > 64 * 64 * 3 * 2
    assert report.translated_bytes == 7 * 64 * 64 * 3 * 2
    assert not (tmp_path / "out").exists()


def test_a_dry_run_counts_what_is_there(whole: tuple[Path, BenchmarkReport], data: Path) -> None:
    before = sorted(whole[0].rglob("*"))
    asked = options(data, seeds=2, existing="resume", dry_run=True)
    report = benchmark("calcium", whole[0], asked)
    assert (report.trainings, report.finished) == (4, 2)
    assert report.translated_bytes == 2 * 64 * 64 * 3 * 2
    again = benchmark("calcium", whole[0], replace(asked, existing="overwrite"))
    assert (again.trainings, again.finished) == (4, 0)
    assert sorted(whole[0].rglob("*")) == before


def test_a_dry_run_takes_the_data_that_were_simulated_before(tmp_path: Path) -> None:
    asked = options(methods=("cyclegan",), steps=2)
    benchmark("calcium", tmp_path / "out", asked)
    report = benchmark(
        "calcium", tmp_path / "out", replace(asked, existing="resume", dry_run=True, seeds=2)
    )
    assert (report.trainings, report.finished, report.simulated_bytes) == (2, 1, 0)
    again = replace(asked, existing="overwrite", dry_run=True)
    assert benchmark("calcium", tmp_path / "out", again).simulated_bytes > 0
    assert (tmp_path / "out" / "results.json").exists()
