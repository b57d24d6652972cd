from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from stable_tiles_cli.main import main

from stable_tiles.image.store import open_image
from stable_tiles.region import Region
from tests.networks.nets import images
from tests.test_official import Trap, reference, write
from tests.translate.scenes import noise, save_image


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["model", *arguments])


def import_into(folder: Path, *more: str) -> Any:
    given = (str(folder / "model_10.pth"), "--settings", str(folder / "settings.json"))
    return run("import", *given, "--out", str(folder / "run"), *more)


def test_an_imported_checkpoint_translates_as_the_authors_network(tmp_path: Path) -> None:
    networks, _ = write(tmp_path, channels=1, norm="none")
    done = import_into(tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"wrote {tmp_path / 'run'}")
    pixels = save_image(tmp_path / "a.zarr", noise(1, 1, 1, 150, 133, dtype="float32"), "yx")
    arguments = ["translate", str(tmp_path / "a.zarr"), str(tmp_path / "b.zarr")]
    arguments += ["--model", str(tmp_path / "run"), "--normalize", "none"]
    arguments += ["--gpus", "0", "--workers", "0", "--tile", "160"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    made = open_image(tmp_path / "b.zarr").read(Region.whole((1, 1, 150, 133)))
    with torch.inference_mode():
        features = reference(networks["Enc1"], torch.from_numpy(pixels[:, :, 0]))
        wanted = reference(networks["Dec2"], features).numpy()
    assert np.abs(made[:, :, 0] - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_import_and_info_say_the_same_in_json(tmp_path: Path) -> None:
    write(tmp_path, channels=3)
    imported = json.loads(import_into(tmp_path, "--json").stdout)
    described = json.loads(run("info", str(tmp_path / "run"), "--json").stdout)
    assert imported == described
    keys = {"run", "network", "domains", "reach", "stride", "parameters", "digest", "provenance"}
    assert keys <= set(described)
    assert described["domains"]["a"]["channels"] == 3
    assert described["provenance"] == {"made_by": "NICALab/STABLE", "checkpoint": "model_10.pth"}


def test_info_is_readable_by_people(tmp_path: Path) -> None:
    write(tmp_path)
    import_into(tmp_path)
    text = run("info", str(tmp_path / "run")).stdout
    assert "widths [8, 16, 32]" in text
    assert "stride: 4 px" in text
    assert "a2b: reach " in text
    assert "domain b: 1 channels (channel 0), float32, intensities 0..1" in text
    assert "normalised by percentile 0 99 per image" in text


@pytest.mark.parametrize("broken", ["trap", "text", "missing"])
def test_what_cannot_be_imported_gets_one_line_and_writes_nothing(
    tmp_path: Path, broken: str
) -> None:
    networks, checkpoint = write(tmp_path)
    if broken == "trap":
        torch.save({**networks, "Enc1": Trap(tmp_path / "sprung")}, checkpoint)
    elif broken == "text":
        checkpoint.write_text("hello")
    else:
        del networks["Dec2"]
        torch.save(networks, checkpoint)
    done = import_into(tmp_path)
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["model_10.pth", "settings.json"]


def test_a_run_that_exists_is_kept(tmp_path: Path) -> None:
    write(tmp_path)
    assert import_into(tmp_path).exit_code == 0
    assert import_into(tmp_path).exit_code == 2
    assert import_into(tmp_path, "--overwrite").exit_code == 0


def test_info_of_no_run_is_one_line(tmp_path: Path) -> None:
    done = run("info", str(tmp_path / "nothing"))
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: no model at")


def test_the_network_of_the_tests_is_not_trivial(tmp_path: Path) -> None:
    networks, _ = write(tmp_path)
    with torch.inference_mode():
        made = reference(networks["Enc1"], images(1, 1, 16, 16))
    assert made.std() > 0.01
