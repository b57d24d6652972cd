from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from stable_tiles_cli.main import main

from stable_tiles.settings import Settings, load_settings, shipped_configs


def call(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["init", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("task", sorted(shipped_configs()))
def test_the_file_keeps_its_comments_and_trains_as_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(task)[0] == 0
    assert "#" in Path(f"{task}.yaml").read_text()
    assert load_settings(f"{task}.yaml") == load_settings(task)


def test_a_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("mine")
    code, _, error = call("mri", str(file))
    assert (code, file.read_text()) == (2, "mine")
    assert error.startswith("Error: ")
    assert call("mri", str(file), "--overwrite")[0] == 0
    assert load_settings(file) == load_settings("mri")


def test_without_a_task_it_lists_them_and_a_wrong_one_gets_the_nearest() -> None:
    assert json.loads(call("--json")[1])["tasks"] == sorted(shipped_configs())
    code, _, error = call("calcum")
    assert code == 2
    assert "did you mean calcium?" in error
    assert len(error.splitlines()) == 1


def test_the_schema_knows_every_section() -> None:
    schema = json.loads(call("--schema")[1])
    assert set(schema["properties"]) == set(Settings.model_fields)
