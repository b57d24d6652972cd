from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from stable_tiles_cli.main import main

from tests.benchmark.small import TINY

SMALL = ["--size", "64", "--count", "1", "--frames", "2", "--steps", "2", "--seeds", "1"]
SETTINGS = [word for change in TINY for word in ("--set", change)]


def test_a_benchmark_is_one_json_document(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    asked = ["benchmark", "calcium", "--out", out, "--methods", "stable", "--config", "smoke"]
    done = CliRunner().invoke(main, [*asked, *SMALL, *SETTINGS, "--device", "cpu", "--json"])
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["results"] == f"{out}/results.json"
    assert set(report["medians"]) == {"stable", "input", "truth"}
    again = CliRunner().invoke(main, [*asked, *SMALL, *SETTINGS])
    assert again.exit_code == 2
    assert "--resume to add methods or seeds" in again.stderr


def test_a_dry_run_says_how_much(tmp_path: Path) -> None:
    asked = ["benchmark", "calcium", "--out", str(tmp_path / "out"), "--steps", "10", "--dry-run"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.stderr
    assert "would train 15 times, each 10 steps, 10 images of either domain" in done.stdout
    assert "MiB of raw pixels" in done.stdout


def test_wrong_words_end_with_code_2(tmp_path: Path) -> None:
    for more in (["--methods", "pix2pix"], ["--resume", "--overwrite"], ["--set", "a.b=1"]):
        done = CliRunner().invoke(main, ["benchmark", "mri", "--out", str(tmp_path / "x"), *more])
        assert done.exit_code == 2
        assert done.stderr.startswith("Error: ")
        assert not (tmp_path / "x").exists()
