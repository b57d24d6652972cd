from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile
from click.testing import CliRunner, Result
from stable_tiles_cli.main import main

from tests.image.stores import write_store

PIXELS = np.random.default_rng(0).integers(0, 90, (100, 80)).astype(np.uint16)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_the_report_is_one_json_document(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    done = run(tmp_path / "a.zarr", tmp_path / "a.ome.tif", "--codec", "lzw", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["format"] == "ome-tiff"
    assert {"output", "shape", "axes", "dtype", "levels", "scale", "unit", "seconds"} <= set(report)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.pages.first.compression == tifffile.COMPRESSION.LZW
        assert np.array_equal(tiff.asarray(), PIXELS)


def test_a_dry_run_says_what_it_would_take(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    done = run(tmp_path / "a.zarr", tmp_path / "a.nii", "--dry-run")
    assert done.stdout.startswith("would write")
    assert "MiB of disk" in done.stdout
    assert not (tmp_path / "a.nii").exists()


def test_wrong_use_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    (tmp_path / "a.tif").touch()
    for target in ("a.tif", "a.jpg", "a.zarr/x.nii"):
        done = run(tmp_path / "a.zarr", tmp_path / target, "--quiet")
        assert done.exit_code == 2
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1
