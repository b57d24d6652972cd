from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import mean as mean_of_labels

from stable_tiles.errors import InputError
from stable_tiles.evaluate import parts
from stable_tiles.evaluate.cells import RoiOptions, evaluate_rois
from stable_tiles.evaluate.traces import Correlation, relative
from tests.evaluate.test_cells import discs
from tests.image.stores import write_store

Movie = npt.NDArray[np.uint16]


@given(
    window=st.integers(1, 30),
    length=st.integers(1, 25),
    rois=st.integers(1, 4),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=40)
def test_the_baseline_is_the_mean_of_the_frames_around(
    window: int, length: int, rois: int, seed: int
) -> None:
    traces = np.random.default_rng(seed).uniform(10, 20, (length, rois))
    found = list(relative(iter(traces), window))
    assert len(found) == length
    for t, value in enumerate(found):
        around = traces[max(0, t - (window - 1) // 2) : t + window // 2 + 1].mean(axis=0)
        np.testing.assert_allclose(value, (traces[t] - around) / around, atol=1e-12)


def test_a_baseline_of_zero_gives_no_change() -> None:
    assert all(np.isnan(value).all() for value in relative([np.zeros(2)] * 3, 2))


def test_correlations_frame_by_frame_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(1e5, 1, (2, 200, 3))
    y[:, 0] += x[:, 0]
    y[:, 2] = 7
    running = Correlation(3)
    for frames in zip(x, y, strict=True):
        running.update(*frames)
    expected = [np.corrcoef(x[:, i], y[:, i])[0, 1] for i in range(2)]
    assert running.values[:2] == pytest.approx(expected, abs=1e-9)
    assert np.isnan(running.values[2])


def movies(folder: Path, frames: int = 40) -> tuple[RoiOptions, Movie, Movie]:
    """Two movies of the same cells, and labels of either; cells lie a little apart."""
    rng = np.random.default_rng(3)
    labels = discs((20, 20), (20, 60), (70, 100))
    moved = discs((21, 20), (20, 61), (70, 100))
    activity = rng.uniform(50, 200, (frames, 4))
    activity[:, 0] = 20
    first = activity[:, labels] + rng.normal(0, 5, (frames, *labels.shape))
    second = 3 * activity[:, moved] + rng.normal(0, 60, (frames, *labels.shape)) + 400
    write_store(folder / "a.zarr", first.clip(0).astype(np.uint16), "tyx")
    write_store(folder / "b.zarr", second.clip(0).astype(np.uint16), "tyx")
    write_store(folder / "la.zarr", labels)
    write_store(folder / "lb.zarr", moved)
    options = RoiOptions(
        12.0,
        labels_input=folder / "la.zarr",
        labels_output=folder / "lb.zarr",
        baseline_window=9,
    )
    return options, first.clip(0).astype(np.uint16), second.clip(0).astype(np.uint16)


@pytest.mark.parametrize("part", [2048, 40])
def test_traces_are_the_means_of_the_labels_whatever_the_parts(
    tmp_path: Path, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART", part)
    options, first, second = movies(tmp_path)
    report = evaluate_rois(tmp_path / "a.zarr", tmp_path / "b.zarr", options)
    labels = discs((20, 20), (20, 60), (70, 100)), discs((21, 20), (20, 61), (70, 100))
    traces = [
        np.array([mean_of_labels(frame, numbers, (1, 2, 3)) for frame in movie])
        for movie, numbers in zip((first, second), labels, strict=True)
    ]
    raw = sorted(np.corrcoef(traces[0][:, i], traces[1][:, i])[0, 1] for i in range(3))
    change = [np.array(list(relative(iter(t), 9))) for t in traces]
    moved = sorted(np.corrcoef(change[0][:, i], change[1][:, i])[0, 1] for i in range(3))
    assert sorted(report.metrics["trace_pcc"].values) == pytest.approx(raw, abs=1e-6)
    assert sorted(report.metrics["dff_pcc"].values) == pytest.approx(moved, abs=1e-6)
    assert report.count_input == report.count_output == 3


def test_the_cells_of_a_movie_are_found_in_the_mean_of_its_frames(tmp_path: Path) -> None:
    movies(tmp_path)
    found = evaluate_rois(
        tmp_path / "a.zarr", tmp_path / "b.zarr", RoiOptions(12.0, baseline_window=9)
    )
    assert found.count_input == found.count_output == 3
    assert found.f1 == 1
    assert min(found.metrics["trace_pcc"].values) > 0.95


def test_labels_of_every_frame_need_matching_frame_by_frame(tmp_path: Path) -> None:
    movies(tmp_path, frames=3)
    labels = write_store(tmp_path / "l.zarr", np.stack([discs((20, 20))] * 3), "tyx")
    options = RoiOptions(12.0, labels_input=labels.path)
    with pytest.raises(InputError, match="--over-time each"):
        evaluate_rois(tmp_path / "a.zarr", tmp_path / "b.zarr", options)
    with pytest.raises(InputError, match="2 frames"):
        RoiOptions(baseline_window=1)
