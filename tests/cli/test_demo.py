from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import imagecodecs
from click.testing import CliRunner
from stable_tiles_cli.main import main

from stable_tiles.image.store import open_image


def test_the_demo_goes_from_tiff_to_a_picture(tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("stable-tiles"))
    command = [program, "demo", "--out", "demo", "--json"]
    command += ["--size", "300", "--gpus", "0", "--quiet", "--set", "training.steps=40"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["steps"] == 40
    assert -1 < report["correlation"] < 1
    assert report["identity"] > 0.2
    assert "</html>" in (tmp_path / report["report"]).read_text()
    assert set(report["seconds"]) == {"simulate", "convert", "train", "translate", "evaluate"}
    picture = imagecodecs.png_decode((tmp_path / report["picture"]).read_bytes())
    assert picture.shape[0] > 300
    assert picture.std() > 10
    translated = open_image(tmp_path / "demo/translated.zarr")
    assert translated.shape == (1, 1, 1, 300, 300)
    assert translated.attributes["kind"] == "translation"
    assert str(tmp_path) not in json.dumps(translated.attributes)


def test_a_demo_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "demo")])
    assert done.exit_code == 2
    assert "--overwrite" in done.stderr
