"""What README shows works: the tour is run from top to bottom, and so is the Python block."""

from __future__ import annotations

import re
import shlex
import shutil
from glob import glob
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from stable_tiles_cli.main import COMMANDS, main

from stable_tiles.export import export
from tests.benchmark.small import TINY
from tests.docs.commands import commands, look, serves
from tests.image.stores import write_store

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
LINES = commands(README)

SMALL = [f"--set={setting}" for setting in (*TINY, "training.steps=2")]
"""What trainings of the tour are given besides: the shipped networks take hours on a CPU."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own files that the tour names, in the working folder."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 255, (4, 64, 64)).astype(np.uint8)
    tifffile.imwrite("slide.svs", np.stack([pixels[0]] * 3, -1), tile=(32, 32), photometric="rgb")
    tifffile.imwrite("movie.tif", pixels, photometric="minisblack")
    for name in ("volume", "pd", "new"):
        write_store(tmp_path / f"{name}.zarr", np.roll(pixels, ord(name[0])), "zyx")
    export("volume.zarr", "t2.nii.gz")
    write_store(tmp_path / "truth.zarr", pixels, "zyx")
    for number, name in enumerate(("dic.zarr", "dapi.zarr", "slides/1.zarr", "slides/2.zarr")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_store(tmp_path / name, np.roll(pixels[0], number))
    cells = np.zeros_like(pixels)
    cells[:, 10:22, 10:22], cells[:, 40:52, 38:50] = 200, 150
    for name in ("cells.zarr", "cells.translated.zarr"):
        write_store(tmp_path / name, cells, "tyx")
    return tmp_path


def test_the_tour_runs_from_top_to_bottom(files: Path) -> None:
    """As it stands, but for smaller networks, and GPUs where there are none."""
    for words in LINES:
        if "runs/he" in words:  # The tour does not show how this model was trained.
            shutil.copytree(files / "runs/t2-to-pd", files / "runs/he")
        if serves(words):
            assert len(look(words, files)["stores"]) == 2
            continue
        if words[0] == "translate" and "--resume" in words:  # A killed one leaves no output.
            shutil.rmtree(files / "new.translated.zarr")
        given = [name for word in words for name in sorted(glob(word)) or [word]]
        if words[0] == "train":
            given += SMALL
        done = CliRunner().invoke(main, given)
        if "--gpus 2" in shlex.join(words) and done.exit_code == 2:
            assert "GPU" in done.stderr, words
            continue
        assert done.exit_code == 0, f"{shlex.join(words)}: {done.stderr}"
    made = {"my.yaml", "slide.zarr", "movie.zarr", "report", "cells", "t2-to-pd.zip"}
    assert made <= {path.name for path in files.iterdir()}


def test_the_tour_is_there_and_every_command_stands_in_the_table() -> None:
    assert len(LINES) >= 10
    table = set(re.findall(r"^\| `(\w+)", README, re.MULTILINE))
    assert table == set(COMMANDS)


def test_the_python_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_store(tmp_path / "slide.zarr", np.zeros((80, 90), np.uint8))
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out.startswith("yx (1, 1, 1, 80, 90)")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_each_of_its_options(name: str) -> None:
    command = main.get_command(main.make_context("stable-tiles", [], resilient_parsing=True), name)
    assert command is not None
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"--{parameter.name} has no help"
