"""Models of every rival, through `translate` and `check`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from stable_tiles.check import check
from stable_tiles.errors import InputError, ModelError
from stable_tiles.model import Model, load_model
from stable_tiles.networks.statistics import freeze, instance_norms
from stable_tiles.translate import norms
from stable_tiles.translate.verb import translate
from tests.networks.rivals import SMALL, small
from tests.translate.scenes import domain, everything, noise, options, save_image

DOMAINS = {"a": domain(1, "float32"), "b": domain(1, "float32")}
TILE = {"utom": 96, "munit": 160}


def save(folder: Path, name: str, *, settled: bool = True) -> Path:
    """A run with random weights, and statistics or none."""
    network = small(name)
    if not settled:
        for layer in instance_norms(network).values():
            layer.reset_running_stats()
    Model(network, network.settings, DOMAINS, {"method": name}).save(folder)
    return folder


@pytest.mark.parametrize("norm", ["exact", "frozen"])
@pytest.mark.parametrize("name", SMALL)
def test_tiles_of_every_rival_equal_the_whole_plane(
    tmp_path: Path, name: str, norm: Literal["exact", "frozen"]
) -> None:
    run = save(tmp_path / "run", name)
    pixels = save_image(tmp_path / "a.zarr", noise(1, 1, 1, 150, 203, dtype="float32"), "yx")
    asked = options(run, tile=TILE.get(name, 128), norm=norm)
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", asked)
    network = load_model(run).network
    if norm == "frozen":
        freeze(network)
    with torch.inference_mode():
        expected = network.translate(torch.from_numpy(pixels[:, :, 0]), "a2b").numpy()
    assert report.norm == norm
    assert report.tiles > 1
    assert expected.std() > 0.01
    difference = np.abs(everything(tmp_path / "b.zarr")[:, :, 0] - expected).max()
    assert difference <= (0 if norm == "frozen" else 1e-5)


@pytest.mark.parametrize("name", ["munit", "utom"])
def test_statistics_of_cells_come_near_the_whole_plane(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(norms, "CELL", 64)
    run = save(tmp_path / "run", name)
    pixels = save_image(tmp_path / "a.zarr", noise(1, 1, 1, 150, 203, dtype="float32"), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, norm="dense"))
    with torch.inference_mode():
        plane = torch.from_numpy(pixels[:, :, 0])
        expected = load_model(run).network.translate(plane, "a2b").numpy()
    made = everything(tmp_path / "b.zarr")[:, :, 0]
    assert 0 < np.abs(made - expected).mean() < 0.3 * expected.std()


@pytest.mark.parametrize("norm", ["exact", "frozen"])
@pytest.mark.parametrize("name", SMALL)
def test_check_finds_no_seam_in_any_rival(tmp_path: Path, name: str, norm: str) -> None:
    report = check(save(tmp_path / "run", name, settled=norm == "frozen"), device="cpu")
    assert report.norm == norm
    assert report.max_abs_difference <= (0 if norm == "frozen" else 1e-5)
    assert report.seam_index <= 1.02
    assert report.reach == (report.halo if norm == "frozen" else None)
    assert report.norm_layers["instance"] > 0
    assert report.tile > 2 * report.halo


@pytest.mark.parametrize("name", ["santa", "cut"])
def test_a_method_of_one_direction_refuses_the_other(tmp_path: Path, name: str) -> None:
    run = save(tmp_path / "run", name)
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 20, 20, dtype="float32"), "yx")
    with pytest.raises(ModelError, match="translates a2b only, not b2a"):
        translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, direction="b2a"))
    with pytest.raises(ModelError, match="translates a2b only"):
        check(run, direction="b2a", device="cpu")


def test_confidence_is_refused_where_there_is_no_shared_feature_map(tmp_path: Path) -> None:
    run = save(tmp_path / "run", "cyclegan")
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 20, 20, dtype="float32"), "yx")
    with pytest.raises(InputError, match="only models of method stable"):
        translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, confidence=True))
