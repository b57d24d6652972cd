"""The command that denoises, from training to the denoised store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stable_tiles_cli.main import main

import stable_tiles
from stable_tiles.image.store import open_image
from tests.translate.scenes import noise, save_image, save_model
from tests.translate.test_drift import movie

TINY = (
    "data.patch=16",
    "training.steps=2",
    "support.network.frames=5",
    "support.network.widths=[4, 8]",
    "support.network.branch=4",
)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A movie and a denoiser that was trained on it by the command."""
    folder = tmp_path_factory.mktemp("movie")
    save_image(folder / "movie.zarr", noise(9, 1, 1, 32, 40, dtype="uint16"), "tyx")
    sets = [part for key in TINY for part in ("--set", key)]
    told = ["--source", f"{folder}/movie.zarr", "--out", f"{folder}/run", "--device", "cpu"]
    result = call("train", "support", *told, *sets, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["method"] == "support"
    return folder


def test_a_trained_denoiser_denoises(folder: Path) -> None:
    told = ["--model", f"{folder}/run", "--workers", "0", "--gpus", "0", "--json"]
    result = call("denoise", f"{folder}/movie.zarr", *told)
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["shape"], report["dtype"]) == ([9, 32, 40], "float32")
    assert open_image(folder / "movie.denoised.zarr").shape == (9, 1, 1, 32, 40)


def test_a_model_that_translates_is_refused_in_one_line(folder: Path) -> None:
    run = save_model(folder / "translator")
    result = call("denoise", f"{folder}/movie.zarr", "--model", str(run))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "no denoiser" in result.stderr


def test_a_movie_that_moves_is_warned_of_in_one_line(folder: Path, tmp_path: Path) -> None:
    movie(tmp_path / "moves.zarr", [(0.0, 0.0)] * 12 + [(3.0, 0.0)] * 4, photons=100)
    told = ["--model", f"{folder}/run", "--gpus", "0", "--dry-run"]
    result = call("denoise", f"{tmp_path}/moves.zarr", *told)
    assert result.exit_code == 0, result.stderr
    assert [line[:20] for line in result.stderr.splitlines()] == ["Warning: frames move"]


def test_two_domains_are_still_needed_by_methods_that_translate(folder: Path) -> None:
    result = call("train", "smoke", "--source", f"{folder}/movie.zarr", "--out", f"{folder}/x")
    assert result.exit_code == 2
    assert "--target" in result.stderr


def test_the_library_denoises_by_name() -> None:
    assert callable(stable_tiles.denoise)
