from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stable_tiles_cli.main import main

from stable_tiles.image.store import open_image
from tests.translate.scenes import noise, save_image, save_model

KEYS = {
    "output", "shape", "dtype", "tiles", "regions", "tile", "halo", "blend", "redundancy",
    "workers", "gpus", "megapixels", "seconds", "megapixels_per_second", "forward_seconds",
    "peak_rss_bytes", "clipped_fraction", "resumed_regions", "norm", "scheduler_seconds",
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STABLE_TILES_MODEL", raising=False)
    save_model(tmp_path / "runs" / "one")
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 150, 170), "yx")
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["translate", *arguments])


def test_json_is_one_document_with_the_documented_keys(here: Path) -> None:
    result = call("a.zarr", "--workers", "0", "--chunk", "64", "--shard", "128", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report.keys() >= KEYS
    assert report["output"] == "a.translated.zarr"
    assert report["regions"] == 4
    assert open_image(here / "a.translated.zarr").shape == (1, 1, 1, 150, 170)


def test_every_option_reaches_the_library(here: Path) -> None:
    texts = (
        "--model runs/one --direction b2a --tile 96 --halo 20 --blend hann --precision 32 "
        "--no-compile --norm auto --region 10:100,20:120 --planes t=0,z=0:1 --channels 0 "
        "--dtype uint16 --range unit --normalize none --gpus 0 --workers 0 --codec blosc:3 "
        "--ngff 0.4 --chunk 64 --quiet --json"
    )
    result = call("a.zarr", "b.zarr", *texts.split())
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["tile"], report["halo"], report["blend"]) == (96, 20, "hann")
    assert report["dtype"] == "uint16"
    assert open_image(here / "b.zarr").shape == (1, 1, 1, 90, 100)
    assert open_image(here / "b.zarr").multiscale.version == "0.4"


def test_the_address_of_the_dashboard_is_told_once_when_it_is_there(here: Path, port: int) -> None:
    pytest.importorskip("bokeh", reason="needs bokeh: pip install '.[dashboard]'")
    told = f"dashboard: http://127.0.0.1:{port}/status"
    refused = call("a.zarr", "--workers", "0", "--dashboard", str(port))
    assert refused.exit_code == 2
    assert told not in refused.stderr
    result = call("a.zarr", "--workers", "1", "--gpus", "0", "--dashboard", str(port))
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count(told) == 1


def test_a_dry_run_says_what_would_be_done(here: Path) -> None:
    result = call("a.zarr", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("would write a.translated.zarr: 150x170 uint8")
    assert not (here / "a.translated.zarr.partial").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("none.zarr",), "none.zarr"),
        (("a.zarr", "--gpus", "99"), "--gpus 0"),
        (("a.zarr", "--tile", "big"), "--tile"),
        (("a.zarr", "--tile", "10"), "--tile"),
        (("a.zarr", "--blend", "box"), "crop, linear, hann, gaussian"),
        (("a.zarr", "--region", "0:9999,0:5"), "--region"),
        (("a.zarr", "--planes", "t=5"), "--planes"),
        (("a.zarr", "--channels", "0,1"), "--channels"),
        (("a.zarr", "--model", "nowhere"), "nowhere"),
        (("a.zarr", "--part", "3/2"), "--part"),
        (("a.zarr", "--resume", "--overwrite"), "--overwrite"),
        (("a.zarr", "a.zarr"), "another name"),
        (("a.zarr", "--codec", "zip"), "zip"),
        (("a.zarr", "--shard", "100"), "shard"),
    ],
)
def test_wrong_input_is_one_line_that_names_it_and_writes_nothing(
    here: Path, arguments: tuple[str, ...], named: str
) -> None:
    before = sorted(path.name for path in here.iterdir())
    result = call(*arguments, "--workers", "0")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Error: ")
    assert named in result.stderr
    assert sorted(path.name for path in here.iterdir()) == before


def test_check_says_how_a_model_tiles(here: Path) -> None:
    result = CliRunner().invoke(main, ["check", "a.zarr", "--model", "runs/one", "--json"])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report.keys() >= {
        "reach", "stride", "halo", "max_abs_difference", "seam_index", "norm_layers", "tile",
    }  # fmt: skip
    assert here.is_dir()


def test_many_stores_go_into_a_folder_with_one_receipt_each_and_a_table(tmp_path: Path) -> None:
    run = save_model(tmp_path / "run")
    for name in "abc":
        save_image(tmp_path / f"{name}.zarr", noise(1, 1, 1, 70, 90), "yx")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/c.zarr\t{tmp_path}/named.zarr\n")
    arguments = [f"{tmp_path}/a.zarr", f"{tmp_path}/b.zarr", "--out", f"{tmp_path}/out"]
    arguments += ["--list", f"{tmp_path}/list.txt", "--model", str(run), "--gpus", "0"]
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    outputs = [image["output"] for image in told["images"]]
    made = [tmp_path / "out/a.translated.zarr", tmp_path / "out/b.translated.zarr"]
    assert outputs == list(map(str, [*made, tmp_path / "named.zarr"]))
    for image in told["images"]:
        kept = open_image(image["output"]).attributes["provenance"]["report"]
        assert kept["tiles"] == image["tiles"]
    again = call(*arguments, "--resume")
    assert again.exit_code == 0, again.output
    assert "3 images, 0.0 megapixels" in again.stdout
    assert len(again.stdout.splitlines()) == 5
