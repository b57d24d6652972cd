from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from stable_tiles_cli.simulate import simulate


def test_json_is_one_document_and_progress_stays_off_it(tmp_path: Path) -> None:
    arguments = ["calcium", str(tmp_path / "out"), "--size", "64", "--count", "1", "--json"]
    done = CliRunner().invoke(simulate, arguments)
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report["train_images"] == report["test_images"] == 1
    assert (tmp_path / "out/train/B/0000.zarr").is_dir()


def test_an_unknown_task_is_wrong_usage(tmp_path: Path) -> None:
    done = CliRunner().invoke(simulate, ["weather", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "calcium" in done.stderr


def test_existing_output_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    done = CliRunner().invoke(simulate, ["calcium", str(tmp_path), "--size", "64"])
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_a_dry_run_says_what_it_would_write(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(simulate, ["he", str(out), "--size", "100000", "--dry-run"])
    assert done.exit_code == 0
    assert "would write" in done.stdout
    assert not out.exists()
