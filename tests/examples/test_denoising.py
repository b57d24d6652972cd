"""The example from a raw movie to traces runs, with a translator and without."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stable_tiles.settings import Normalization
from tests.translate.scenes import domain, save_model

SCRIPT = Path(__file__).parents[2] / "examples" / "denoising.py"
FRAMES = 12
TINY = (
    "data.patch=16",
    "data.batch=1",
    "support.network.frames=5",
    "support.network.widths=[4, 8]",
    "support.network.branch=4",
)


def save_movie(path: Path) -> None:
    """Sixteen discs that differ from frame to frame, and their noise."""
    rng = np.random.default_rng(0)
    y, x = np.indices((64, 64)) % 16 - 7.5
    bright = np.kron(rng.uniform(20, 40, (FRAMES, 4, 4)), np.ones((16, 16)))
    frames = rng.poisson(2 + (np.hypot(y, x) < 5) * bright).astype("uint16")
    tifffile.imwrite(path, frames, metadata={"axes": "TYX"})


@pytest.mark.filterwarnings("ignore:the physical scale")
@pytest.mark.parametrize("translated", [False, True])
def test_a_raw_movie_becomes_traces(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    translated: bool,
) -> None:
    save_movie(tmp_path / "movie.tif")
    sets = [part for key in TINY for part in ("--set", key)]
    told = [str(tmp_path / "movie.tif"), str(tmp_path / "out"), "--steps", "2", *sets]
    known = domain(1, normalization=Normalization(low=1.0, high=99.0, per="channel"))
    if translated:
        run = save_model(tmp_path / "run", domains={"a": known, "b": known})
        told += ["--translator", str(run)]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *told, "--device", "cpu"])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == FRAMES
    assert found["cells"] > 0
    rows = (tmp_path / "out" / "traces.csv").read_text().splitlines()
    assert len(rows) == FRAMES + 1
    assert (tmp_path / "out" / "translated.zarr").exists() == translated
    for name in ("movie.png", "traces.png"):
        assert (tmp_path / "out" / name).stat().st_size > 1000
