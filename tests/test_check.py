from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stable_tiles.check import check, seam_index
from stable_tiles.errors import RunNotFound
from stable_tiles.settings import NetworkSettings
from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.grid import TileGrid
from tests.translate.scenes import noise, save_image, save_model


@pytest.mark.parametrize("from_image", [True, False], ids=["image", "noise"])
def test_a_network_of_finite_reach_has_no_seams(tmp_path: Path, from_image: bool) -> None:
    run = save_model(tmp_path / "run")
    save_image(tmp_path / "a.zarr", noise(2, 1, 1, 500, 470), "tyx")
    report = check(run, tmp_path / "a.zarr" if from_image else None, device="cpu")
    assert report.max_abs_difference == 0
    assert report.reach == report.halo
    assert report.stride == 2
    assert 0.8 < report.seam_index < 1.25
    assert report.norm_layers["batch"] > 0
    assert report.tile > 2 * report.halo


def test_a_network_whose_statistics_are_the_plane_s_is_shown_to_have_seams(tmp_path: Path) -> None:
    settings = NetworkSettings(widths=(4, 8), features=2, norm="instance")
    report = check(save_model(tmp_path / "run", settings), device="cpu")
    assert report.reach is None
    assert report.max_abs_difference > 1e-4
    assert report.norm_layers["instance"] > 0
    assert report.norm_risk.startswith("high")


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
