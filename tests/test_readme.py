"""What README shows works: every command line parses, the Python block runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from stable_tiles_cli.main import COMMANDS, main

from tests.image.stores import write_store

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"^stable-tiles (.+?)(?:\s+#.*)?$", README, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_parses(line: str) -> None:
    name, *arguments = shlex.split(line)
    command = main.get_command(main.make_context("stable-tiles", [], resilient_parsing=True), name)
    assert command is not None
    command.make_context(name, arguments)


def test_the_tour_is_there_and_every_command_stands_in_the_table() -> None:
    assert len(LINES) >= 10
    table = set(re.findall(r"^\| `(\w+)", README, re.MULTILINE))
    assert table == set(COMMANDS)


def test_the_python_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_store(tmp_path / "slide.zarr", np.zeros((80, 90), np.uint8))
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out.startswith("yx (1, 1, 1, 80, 90)")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_each_of_its_options(name: str) -> None:
    command = main.get_command(main.make_context("stable-tiles", [], resilient_parsing=True), name)
    assert command is not None
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"--{parameter.name} has no help"
