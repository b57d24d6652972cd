from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from stable_tiles.convert import convert
from stable_tiles.errors import OutputExists
from tests.convert.killing import kill_and_resume, options, tree, undisturbed


def test_a_conversion_killed_at_any_moment_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    whole = undisturbed(tmp_path, 700)
    chance = random.Random(tmp_path.name)
    for number in range(3):
        place = tmp_path / f"cut{number}"
        place.mkdir()
        kill_and_resume(whole, place, chance.uniform(0, 1.1 * whole.seconds))


def test_one_killed_after_it_got_its_name_is_found_to_be_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = undisturbed(tmp_path, 300)
    target = tmp_path / "whole" / "a.zarr"
    target.rename(tmp_path / "kept")

    remove = shutil.rmtree

    def killed(folder: Path, **how: Any) -> None:
        if target.exists():
            raise KeyboardInterrupt
        remove(folder, **how)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            convert(whole.source, target, options(resume=True))
    assert target.with_name("a.zarr.partial").is_dir()
    with pytest.raises(OutputExists):
        convert(whole.source, target, options())
    report = convert(whole.source, target, options(resume=True))
    assert report.resumed_regions == report.regions
    assert tree(target) == whole.files
    assert [path.name for path in target.parent.iterdir()] == ["a.zarr"]
