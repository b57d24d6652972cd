from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from stable_tiles_cli.main import main

from stable_tiles.doctor import diagnose


def test_everything_that_commands_need_is_there_with_its_version(tmp_path: Path) -> None:
    found = diagnose(tmp_path)
    needed = {one.name: one for one in found.packages if one.extra is None}
    assert {"torch", "zarr", "dask", "click", "nibabel", "tifffile"} <= needed.keys()
    for name, one in needed.items():
        assert one.version == metadata.version(name)
        assert one.install is None
    assert found.cores >= 1
    assert 0 < found.free_memory_bytes <= found.memory_bytes


def test_an_extra_that_is_missing_comes_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have = metadata.version

    def version(name: str) -> str:
        if name in {"openslide-python", "zarr"}:
            raise metadata.PackageNotFoundError(name)
        return "0.0.1" if name == "dask" else have(name)

    monkeypatch.setattr(metadata, "version", version)
    found = {one.name: one for one in diagnose(tmp_path).packages}
    assert found["openslide-python"].install == "pip install 'stable-tiles[slide]'"
    line = found["zarr"].install
    assert line is not None
    assert Requirement(line.split("'")[1]).name == "zarr"
    problems = diagnose(tmp_path).problems
    assert any(problem.startswith("zarr is missing: pip install 'zarr") for problem in problems)
    assert any(problem.startswith("dask 0.0.1 does not fit >=") for problem in problems)
    assert not any("openslide" in problem for problem in problems)


def test_the_screen_and_the_document_say_the_same() -> None:
    told = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    screen = CliRunner().invoke(main, ["doctor"])
    assert told["version"] in screen.stdout.splitlines()[0]
    assert screen.exit_code == (1 if told["problems"] else 0)
    assert "extra slide (openslide-python, openslide-bin): installed" in screen.stdout
