from __future__ import annotations

from pathlib import Path

import pytest

from stable_tiles.errors import InputError, RunNotFound
from stable_tiles.translate.find import VARIABLE, find_run, find_target


def runs(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "model.json").write_text("{}")


def test_the_named_run_comes_before_the_environment_and_that_before_the_only_run(
    tmp_path: Path,
) -> None:
    runs(tmp_path, "only")
    environment = {VARIABLE: "elsewhere"}
    assert find_run(Path("named"), environment, tmp_path) == Path("named")
    assert find_run(None, environment, tmp_path) == Path("elsewhere")
    assert find_run(None, {}, tmp_path) == tmp_path / "runs" / "only"


def test_several_runs_are_listed_and_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="no run under"):
        find_run(None, {}, tmp_path)
    runs(tmp_path, "he", "dapi")
    with pytest.raises(RunNotFound, match="Found runs/dapi, runs/he: give --model"):
        find_run(None, {}, tmp_path)


def test_the_output_lies_beside_the_source() -> None:
    assert find_target("a/slide.zarr", None) == Path("a/slide.translated.zarr")
    assert find_target("a/plate.zarr/0/", None) == Path("a/plate.zarr/0.translated.zarr")
    assert find_target("a/slide.zarr", "b.zarr") == Path("b.zarr")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("https://host/a.zarr", None),
        ("a.zarr", "https://host/b.zarr"),
        ("a.zarr", "a.zarr"),
        ("a.zarr", "a.zarr/out.zarr"),
    ],
)
def test_an_output_that_cannot_be_is_refused(source: str, target: str | None) -> None:
    with pytest.raises(InputError):
        find_target(source, target)
