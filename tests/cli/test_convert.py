from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from stable_tiles_cli.main import main

from stable_tiles.image.store import open_image
from stable_tiles.region import Region


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["convert", *map(str, arguments)])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.tif"
    pixels = np.arange(3 * 100 * 80, dtype=np.uint16).reshape(3, 100, 80)
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=None)
    return path


def test_every_option_reaches_the_store(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "a.zarr"
    result = run(
        source, target, "--axes", "cyx", "--pixel-size", "0.5,0.25", "--unit", "nanometer",
        "--channel-names", "a,b,c", "--ngff", "0.4", "--chunk", 32, "--codec", "blosc:3",
        "--levels", 2, "--region", "10:90,20:70", "--workers", 2, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["shape"] == [3, 80, 50]
    assert report["axes"] == "cyx"
    assert report["levels"] == 2
    assert report["scale"] == {"y": 0.5, "x": 0.25}
    assert report["unit"] == "nanometer"
    assert {"output", "dtype", "bytes_in", "bytes_out", "seconds", "peak_rss_bytes"} <= set(report)
    store = open_image(target)
    assert store.multiscale.version == "0.4"
    assert [c.name for c in store.channels] == ["a", "b", "c"]
    pixels = tifffile.imread(source)[:, 10:90, 20:70]
    assert np.array_equal(store.read(Region.whole((1, 1, 80, 50)))[0, :, 0], pixels)


def test_warnings_go_to_standard_error_and_the_result_to_standard_output(
    tmp_path: Path, source: Path
) -> None:
    result = run(source, tmp_path / "a.zarr")
    assert result.exit_code == 0
    assert "Warning: a.tif does not say what its 3 planes are: taken as t" in result.stderr
    assert "Warning: the physical scale along t, y, x is unknown" in result.stderr
    assert result.stdout.startswith("wrote ")
    assert "Warning" not in result.stdout


def test_a_movie_keeps_its_time_step(tmp_path: Path, source: Path) -> None:
    result = run(source, tmp_path / "a.zarr", "--axes", "tyx", "--time-step", 0.1, "--json")
    assert json.loads(result.stdout)["scale"]["t"] == 0.1


def test_files_are_stacked(tmp_path: Path) -> None:
    for i in range(3):
        tifffile.imwrite(tmp_path / f"{i}.tif", np.full((20, 30), i, np.uint8))
    paths = [tmp_path / f"{i}.tif" for i in range(3)]
    result = run(*paths, tmp_path / "a.zarr", "--stack", "z", "--json")
    assert json.loads(result.stdout)["shape"] == [3, 20, 30]


def test_a_dry_run_says_what_it_would_do(tmp_path: Path, source: Path) -> None:
    result = run(source, tmp_path / "a.zarr", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("would write")
    assert "of memory" in result.stdout
    assert not (tmp_path / "a.zarr").exists()


def test_an_existing_output_needs_a_word(tmp_path: Path, source: Path) -> None:
    assert run(source, tmp_path / "a.zarr").exit_code == 0
    refused = run(source, tmp_path / "a.zarr")
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert run(source, tmp_path / "a.zarr", "--overwrite").exit_code == 0


WRONG: dict[str, tuple[str, ...]] = {
    "no such file": ("absent.tif", "out.zarr"),
    "no image": ("text.txt", "out.zarr"),
    "truncated": ("cut.tif", "out.zarr"),
    "mislabelled": ("fake.nii", "out.zarr"),
    "series": ("a.tif", "out.zarr", "--series", "4"),
    "axes": ("a.tif", "out.zarr", "--axes", "tzyx"),
    "codec": ("a.tif", "out.zarr", "--codec", "gzip"),
    "shard": ("a.tif", "out.zarr", "--shard", "1000"),
    "region": ("a.tif", "out.zarr", "--region", "0:9999,0:10"),
    "region's text": ("a.tif", "out.zarr", "--region", "here"),
    "pixel size": ("a.tif", "out.zarr", "--pixel-size", "1"),
    "unit": ("a.tif", "out.zarr", "--unit", "furlong"),
    "levels": ("a.tif", "out.zarr", "--levels", "0"),
    "several": ("a.tif", "a.tif", "out.zarr"),
    "shards in 0.4": ("a.tif", "out.zarr", "--ngff", "0.4", "--shard", "4096"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_line_and_exit_code_2(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("no image")
    Path("fake.nii").write_bytes(b"\x5c\x01" + bytes(400))
    Path("cut.tif").write_bytes(source.read_bytes()[:9000])
    result = run(*WRONG[name], "--quiet")
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    assert not list(tmp_path.glob("out.zarr*"))


def test_a_damaged_file_is_one_line_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(16, 16), compression="zlib")
    path.write_bytes(path.read_bytes()[:300])
    probe = "import sys; from stable_tiles_cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", probe, "convert", str(path), str(tmp_path / "out.zarr")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: a.tif")


def test_help_names_every_option_and_imports_nothing_heavy() -> None:
    probe = (
        "import sys; from stable_tiles_cli.convert import convert; "
        "print(sorted({'torch', 'zarr', 'numpy', 'tifffile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    text = run("--help").stdout
    for option in ("--series", "--axes", "--stack", "--keep-associated", "--resume", "--json"):
        assert option in text
