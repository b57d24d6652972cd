import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stable_tiles_cli.main import main

from stable_tiles.settings import load_settings, shipped_configs
from tests.train.stores import random_pixels, write_store

TINY = (
    "data.patch=16",
    "data.batch=1",
    "network.widths=[4, 8]",
    "network.features=2",
    "discriminator.widths=[4]",
    "training.steps=2",
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    for number, name in enumerate(("a", "b")):
        write_store(folder / f"{name}.zarr", random_pixels((1, 1, 1, 40, 40), number))
    return folder


def invoke(stores: Path, out: Path, *more: str) -> Result:
    sides = ["--source", str(stores / "a.zarr"), "--target", str(stores / "b.zarr")]
    changes = [word for change in TINY for word in ("--set", change)]
    return CliRunner().invoke(main, ["train", "smoke", *sides, "--out", str(out), *changes, *more])


def test_a_training_reports_one_json_document_and_options_win_over_the_config(
    stores: Path, tmp_path: Path
) -> None:
    options = ("--json", "--seed", "7", "--precision", "32", "--device", "cpu")
    result = invoke(stores, tmp_path / "run", *options)
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["steps"] == 2
    assert report["precision"] == "32"
    assert set(report["losses"]) >= {"adversarial", "information", "cycle", "total"}
    assert "steps: 2/2" in result.stderr
    config = load_settings(tmp_path / "run" / "config.yaml")
    assert config.training.seed == 7


def test_a_dry_run_says_size_reach_and_rate_and_writes_nothing(
    stores: Path, tmp_path: Path
) -> None:
    result = invoke(stores, tmp_path / "run", "--dry-run")
    assert result.exit_code == 0, result.stderr
    for word in ("M parameters", "reach a2b:", "stride 2 px", "a second"):
        assert word in result.stdout
    assert not (tmp_path / "run").exists()


def test_a_run_that_exists_is_refused_then_resumed_then_replaced(
    stores: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert invoke(stores, out).exit_code == 0
    refused = invoke(stores, out)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"Error: {out} exists: give another --out")
    resumed = invoke(stores, out, "--resume", "--set", "training.steps=3", "--json")
    assert json.loads(resumed.stdout)["resumed_from"] == 2
    replaced = invoke(stores, out, "--overwrite", "--json")
    assert json.loads(replaced.stdout)["resumed_from"] == 0


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--set", "training.stepz=1"), "unknown setting training.stepz; did you mean"),
        (("--gpus", "2"), "--gpus 2: this machine has 0 CUDA GPUs: use --gpus 0"),
        (("--gpus", "1", "--processes", "2"), "--processes 2 is for the CPU: on GPUs give --gpus"),
        (("--processes", "2"), "data.batch 1 is shared by 2 processes: use a multiple of 2"),
        (("--resume", "--overwrite"), "--resume and --overwrite exclude each other"),
        (("--set", "data.patch=48"), "patches of 48 px do not fit into a.zarr (40 x 40 px"),
        (("--val-source", "x.zarr"), "validation needs both --val-source and --val-target"),
        (("--method", "magic"), "method: Input should be"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    stores: Path, tmp_path: Path, options: tuple[str, ...], line: str
) -> None:
    result = invoke(stores, tmp_path / "run", *options)
    assert result.exit_code == 2
    assert line in result.stderr
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_store_on_both_sides_is_refused(stores: Path, tmp_path: Path) -> None:
    result = invoke(stores, tmp_path / "run", "--target", str(stores / "a.zarr"))
    assert result.exit_code == 2
    assert "a.zarr is given twice: unpaired training needs different images" in result.stderr


def test_a_store_that_is_not_there_is_refused(stores: Path, tmp_path: Path) -> None:
    result = invoke(stores, tmp_path / "run", "--source", str(tmp_path / "gone.zarr"))
    assert result.exit_code == 2
    assert result.stderr == f"Error: no store {tmp_path / 'gone.zarr'}: check the path\n"


def test_help_names_every_shipped_config() -> None:
    text = CliRunner().invoke(main, ["train", "--help"]).stdout
    for name in shipped_configs():
        assert name in text
