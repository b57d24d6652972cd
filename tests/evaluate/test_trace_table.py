"""Tables of traces: what numpy says of every label, streamed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from stable_tiles_cli.main import main

from stable_tiles.errors import InputError, OutputExists
from stable_tiles.evaluate import parts
from stable_tiles.evaluate.trace_table import TraceOptions, evaluate_traces
from stable_tiles.evaluate.traces import relative
from tests.translate.scenes import save_image
from tests.translate.test_drift import SIDE
from tests.translate.test_drift import movie as moving


def scene(
    folder: Path, frames: int = 30, cells: int = 300
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    """A movie (t, y, x) and labels (y, x), scattered so that they cross every border."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, cells + 1, (90, 110)).astype(np.int32) * 3
    movie = rng.integers(0, 60000, (frames, 90, 110)).astype(np.uint16)
    save_image(folder / "movie.zarr", movie[:, None, None], "tyx", t=0.5)
    save_image(folder / "labels.zarr", labels[None, None, None], "yx")
    return movie, labels


def means(movie: npt.NDArray[np.uint16], labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    numbers = np.unique(labels[labels > 0])
    return np.array([movie[:, labels == n].mean(axis=1) for n in numbers]).T


def read_csv(path: Path) -> tuple[list[str], npt.NDArray[np.float64]]:
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    return names, np.array(rows, np.float64)


@pytest.mark.parametrize(("part", "frames_pixels"), [(2048, 2**23), (40, 4000)])
def test_every_label_has_numpys_mean_whatever_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int, frames_pixels: int
) -> None:
    monkeypatch.setattr(parts, "PART", part)
    monkeypatch.setattr(parts, "FRAMES_PIXELS", frames_pixels)
    movie, labels = scene(tmp_path)
    paths = tmp_path / "movie.zarr", tmp_path / "labels.zarr", tmp_path / "out.csv"
    report = evaluate_traces(*paths)
    names, rows = read_csv(paths[2])
    assert (report.labels, report.frames) == (300, 30)
    assert names[:3] == ["frame", "time_s", "label_3"]
    assert np.array_equal(rows[:, 0], np.arange(30))
    assert np.array_equal(rows[:, 1], np.arange(30) * 0.5)
    np.testing.assert_allclose(rows[:, 2:], means(movie, labels), rtol=1e-12)


def test_change_is_relative_to_the_moving_mean(tmp_path: Path) -> None:
    movie, labels = scene(tmp_path, cells=4)
    out = tmp_path / "dff.csv"
    options = TraceOptions(relative=True, baseline_window=7)
    evaluate_traces(tmp_path / "movie.zarr", tmp_path / "labels.zarr", out, options)
    expected = np.array(list(relative(means(movie, labels), 7)))
    np.testing.assert_allclose(read_csv(out)[1][:, 2:], expected, rtol=1e-9, atol=1e-12)


def test_parquet_holds_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("stable_tiles.evaluate.trace_table.ROWS", 7)
    movie, labels = scene(tmp_path, cells=20)
    out = tmp_path / "out.parquet"
    evaluate_traces(tmp_path / "movie.zarr", tmp_path / "labels.zarr", out)
    table = parquet.read_table(out)
    assert table.column_names[:3] == ["frame", "time_s", "label_3"]
    assert str(table.schema.field("frame").type) == "int64"
    values = np.array([column.to_numpy() for column in table.columns[2:]]).T
    np.testing.assert_allclose(values, means(movie, labels), rtol=1e-12)


def test_what_does_not_fit_is_refused_before_work(tmp_path: Path) -> None:
    scene(tmp_path, frames=3, cells=2)
    movie, labels, out = (tmp_path / name for name in ("movie.zarr", "labels.zarr", "t.csv"))
    save_image(tmp_path / "none.zarr", np.zeros((1, 1, 1, 90, 110), np.uint8), "yx")
    save_image(tmp_path / "small.zarr", np.ones((1, 1, 1, 9, 11), np.uint8), "yx")
    with pytest.raises(InputError, match="holds no label"):
        evaluate_traces(movie, tmp_path / "none.zarr", out)
    with pytest.raises(InputError, match="same scene"):
        evaluate_traces(movie, tmp_path / "small.zarr", out)
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        evaluate_traces(movie, labels, tmp_path / "t.txt")
    with pytest.raises(InputError, match=r"channels 0\.\.0"):
        evaluate_traces(movie, labels, out, TraceOptions(channel=1))
    assert not out.exists()
    out.write_text("kept")
    with pytest.raises(OutputExists, match="--overwrite"):
        evaluate_traces(movie, labels, out)
    assert out.read_text() == "kept"


def test_a_movie_that_moves_under_its_labels_is_warned_of(tmp_path: Path) -> None:
    moving(tmp_path / "movie.zarr", [(0.0, 0.0)] * 12 + [(3.0, 0.0)] * 4, photons=100)
    save_image(tmp_path / "labels.zarr", np.ones((1, 1, 1, SIDE, SIDE), np.uint8), "yx")
    movie, labels = tmp_path / "movie.zarr", tmp_path / "labels.zarr"
    with pytest.warns(UserWarning, match=r"lie [23]\.\d pixels away"):
        evaluate_traces(movie, labels, tmp_path / "t.csv")


def test_the_command_writes_the_table(tmp_path: Path) -> None:
    scene(tmp_path, frames=3, cells=2)
    told = [str(tmp_path / name) for name in ("movie.zarr", "labels.zarr", "t.csv")]
    result = CliRunner().invoke(main, ["evaluate", "traces", *told, "--dff", "--json"])
    assert result.exit_code == 0, result.stderr
    assert '"labels": 2' in result.stdout
    assert len(read_csv(tmp_path / "t.csv")[1]) == 3
