from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stable_tiles.exchange.onnx_file import runner
from stable_tiles.exchange.package import About
from stable_tiles.exchange.verb import export_model
from stable_tiles.settings import Normalization
from tests.exchange.models import DOMAINS
from tests.translate.scenes import domain, save_model

PERCENTILES = domain(2, "uint16", normalization=Normalization(kind="percentile", per="channel"))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    run = save_model(tmp_path / "run", domains=DOMAINS)
    export_model(run, tmp_path / "m.zip", about=About(("A. Author",), "MIT"))
    return tmp_path / "m.zip"


def described(package: Path) -> Any:
    with zipfile.ZipFile(package) as files:
        return yaml.safe_load(files.read("rdf.yaml"))


def test_a_package_holds_all_that_its_description_names(package: Path) -> None:
    found = described(package)
    assert (found["license"], found["authors"]) == ("MIT", [{"name": "A. Author"}])
    parts = [found["documentation"], found["weights"]["onnx"]]
    parts += [tensor["test_tensor"] for tensor in (*found["inputs"], *found["outputs"])]
    with zipfile.ZipFile(package) as files:
        for part in parts:
            assert hashlib.sha256(files.read(part["source"])).hexdigest() == part["sha256"]
        assert files.read(found["covers"][0]).startswith(b"\x89PNG")
        assert b"## Validation" in files.read("README.md")
        assert not any(str(package.parent).encode() in files.read(n) for n in files.namelist())


@pytest.mark.parametrize("pair", [DOMAINS, {"a": PERCENTILES, "b": DOMAINS["a"]}], ids=["1", "2"])
def test_the_test_images_are_what_the_described_steps_make(tmp_path: Path, pair: Any) -> None:
    run = save_model(tmp_path / "run", domains=pair)
    export_model(run, tmp_path / "m.zip")
    found = described(tmp_path / "m.zip")
    assert "license" not in found
    steps = {s["id"]: s.get("kwargs") for s in found["inputs"][0]["preprocessing"]}
    out = found["outputs"][0]["postprocessing"][0]["kwargs"]
    with zipfile.ZipFile(tmp_path / "m.zip") as files:
        with files.open("test_input.npy") as file:
            pixels = np.load(file)
        with files.open("test_output.npy") as file:
            wanted = np.load(file)
        run_onnx = runner(files.read("weights.onnx"))
    assert run_onnx is not None
    scale = steps["scale_range"]
    axes = tuple("bcyx".index(name[0]) for name in scale["axes"])
    bounds = (scale["min_percentile"], scale["max_percentile"])
    low, high = np.percentile(pixels, bounds, axis=axes, keepdims=True)
    units = ((pixels - low) / (high - low + scale["eps"])).astype(np.float32)
    made = run_onnx(units) * out["gain"] + out["offset"]
    assert np.abs(made - wanted).max() <= 1e-4 * out["gain"]
    assert np.ptp(wanted) > 0


def test_the_halo_is_the_reach_and_blocks_begin_on_the_stride(package: Path) -> None:
    found = described(package)
    axis = found["outputs"][0]["axes"][2]
    size = found["inputs"][0]["axes"][2]["size"]
    assert axis["halo"] % size["step"] == size["min"] % size["step"] == 0
    assert size["min"] > 2 * axis["halo"] > 0


def test_bioimageio_core_validates_and_runs_a_package(package: Path) -> None:
    program = os.environ.get("BIOIMAGEIO")
    if not program:
        pytest.skip(
            "set BIOIMAGEIO to the bioimageio program of an environment with bioimageio.core"
        )
    done = subprocess.run(
        [program, "test", str(package)],
        check=False,
        cwd=package.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
