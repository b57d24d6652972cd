from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from click.testing import CliRunner, Result
from stable_tiles_cli.main import main

from tests.image.stores import write_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_store(tmp_path / "a.zarr", np.zeros((80, 90), np.uint8))
    return tmp_path / "a.zarr"


DOCS = (Path(__file__).parents[2] / "docs" / "viewing.md").read_text(encoding="utf-8")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["view", *map(str, arguments)])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted_and_ends_with_0(
    store: Path, number: signal.Signals
) -> None:
    started = [
        sys.executable,
        "-c",
        "from stable_tiles_cli.main import main; main()",
        *("view", str(store), "--no-browser", "--port", "0", "--json"),
    ]
    with subprocess.Popen(
        started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        found = json.loads(server.stdout.readline())
        assert found["stores"] == ["a.zarr"]
        with urlopen(found["url"] + "stores.json", timeout=10) as answer:
            assert json.load(answer)["stores"][0]["url"] == "stores/a.zarr"
        server.send_signal(number)
        rest, errors = server.communicate(timeout=20)
    assert (server.returncode, rest, errors) == (0, "", "")


def test_a_port_in_use_is_one_line_and_exit_code_2(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(store, "--no-browser", "--port", port)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: cannot listen on port {port}: ")
    assert done.stderr.count("\n") == 1


def test_an_export_is_one_json_document(store: Path, tmp_path: Path) -> None:
    done = run(store, "--export", tmp_path / "page", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["stores"] == {"a.zarr": "../a.zarr"}
    assert (tmp_path / "page" / "index.html").is_file()


def test_a_dry_run_says_what_it_would_take(store: Path, tmp_path: Path) -> None:
    done = run(store, "--export", tmp_path / "page", "--dry-run")
    assert done.stdout.startswith("would write")
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--overwrite"],
        ["--copy"],
        ["--export", "x", "--port", "0"],
        ["--export", "x", "--viewer", "neuroglancer"],
        [],
    ],
)
def test_options_that_do_not_go_together_and_missing_stores_end_with_2(
    store: Path, arguments: list[str]
) -> None:
    done = run(store if arguments else store / "missing.zarr", *arguments)
    assert done.exit_code == 2
    assert "Error: " in done.stderr


@pytest.mark.parametrize("line", re.findall(r"^stable-tiles view (.+)$", DOCS, re.MULTILINE))
def test_a_command_line_of_the_docs_parses(line: str) -> None:
    command = main.get_command(
        main.make_context("stable-tiles", [], resilient_parsing=True), "view"
    )
    assert command is not None
    command.make_context("view", shlex.split(line))


def test_the_python_block_of_the_docs_runs(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(store.parent)
    for name in ("slide.zarr", "slide.translated.zarr"):
        write_store(store.parent / name, np.zeros((80, 90), np.uint8))
    (block,) = re.findall(r"```python\n(.+?)```", DOCS, re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")
