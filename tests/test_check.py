from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stable_tiles.check import check, seam_index
from stable_tiles.errors import RunNotFound
from stable_tiles.model import Model
from stable_tiles.networks.build import build
from stable_tiles.networks.statistics import instance_norms
from stable_tiles.rivals import DeepUnetSettings
from stable_tiles.settings import NetworkSettings
from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.grid import TileGrid
from tests.translate.scenes import domain, noise, save_image, save_model


@pytest.mark.parametrize("from_image", [True, False], ids=["image", "noise"])
def test_a_network_of_finite_reach_has_no_seams(tmp_path: Path, from_image: bool) -> None:
    run = save_model(tmp_path / "run")
    save_image(tmp_path / "a.zarr", noise(2, 1, 1, 500, 470), "tyx")
    report = check(run, tmp_path / "a.zarr" if from_image else None, device="cpu")
    assert report.max_abs_difference == 0
    assert report.reach == report.halo
    assert report.stride == 2
    assert report.seam_index == pytest.approx(1, abs=0.01)
    assert report.norm == "frozen"
    assert report.norm_layers["batch"] > 0
    assert report.tile > 2 * report.halo


def test_a_network_whose_statistics_are_the_plane_s_is_given_them(tmp_path: Path) -> None:
    settings = NetworkSettings(widths=(4, 8), features=2, norm="instance")
    report = check(save_model(tmp_path / "run", settings), device="cpu")
    assert report.reach is None
    assert report.halo > 0
    assert report.norm == "exact"
    assert report.max_abs_difference < 1e-5
    assert report.seam_index == pytest.approx(1, abs=0.001)
    assert report.norm_layers["instance"] > 0
    assert report.norm_risk.startswith("some")


@pytest.mark.parametrize(
    "settings",
    [
        NetworkSettings(widths=(4, 8, 8), features=4, norm="none"),
        NetworkSettings(widths=(4, 4, 8, 8), features=3, norm="batch"),
    ],
    ids=["three levels", "four levels"],
)
def test_the_seam_index_of_cropped_tiles_is_one(tmp_path: Path, settings: NetworkSettings) -> None:
    report = check(save_model(tmp_path / "run", settings), device="cpu")
    assert report.max_abs_difference == 0
    assert report.seam_index == pytest.approx(1, abs=0.01)


def test_a_stride_beyond_the_usual_tile_gets_larger_tiles(tmp_path: Path) -> None:
    settings = DeepUnetSettings(width=1, downsamplings=7)
    network = build(settings, 1, 1)
    for layer in instance_norms(network).values():
        layer.fix(torch.zeros(layer.num_features), torch.ones(layer.num_features))
    domains = {"a": domain(1), "b": domain(1)}
    Model(network, settings, domains, {}).save(tmp_path / "run")
    report = check(tmp_path / "run", device="cpu")
    assert (report.stride, report.max_abs_difference) == (128, 0)
    assert report.seam_index == pytest.approx(1, abs=0.01)


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound):
        check(tmp_path / "none")


def test_a_step_at_the_borders_of_tiles_raises_the_seam_index() -> None:
    y, x = (Window(60, 0, 60, 60) for _ in range(2))
    grid = TileGrid.cover(Tiling(24, 2, 1, "crop"), y, x)
    planes = np.random.default_rng(0).random((1, 1, 60, 60), np.float32)
    assert seam_index(planes, grid) == pytest.approx(1, abs=0.2)
    for number, cell in enumerate(grid.rows):
        planes[:, :, cell.start : cell.stop] += 5 * (number % 2)
    assert seam_index(planes, grid) > 3
    assert seam_index(np.zeros((1, 1, 60, 60), np.float32), grid) == 1


@pytest.mark.parametrize("step", [0.5, 5.0])
def test_a_planted_seam_raises_the_index_by_what_it_adds_to_the_gradient(step: float) -> None:
    y, x = (Window(400, 0, 400, 400) for _ in range(2))
    grid = TileGrid.cover(Tiling(116, 8, 1, "crop"), y, x)
    planes = np.random.default_rng(1).normal(size=(1, 1, 400, 400)).astype(np.float32)
    clean = seam_index(planes, grid)
    assert clean == pytest.approx(1, abs=0.05)
    for row, cell in enumerate(grid.rows):
        for column, other in enumerate(grid.columns):
            planes[:, :, cell.start : cell.stop, other.start : other.stop] += (
                (row + column) % 2 * step
            )
    # the mean of |N(step, sqrt 2)| against that of |N(0, sqrt 2)|
    draws = np.random.default_rng(2).normal(0, np.sqrt(2), 100_000)
    expected = np.abs(draws + step).mean() / np.abs(draws).mean()
    assert seam_index(planes, grid) / clean == pytest.approx(expected, rel=0.03)
