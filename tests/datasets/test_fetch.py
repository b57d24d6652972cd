from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from stable_tiles_cli.main import main

from stable_tiles.datasets.catalogue import DataFile, DataSet
from stable_tiles.datasets.fetch import fetch
from stable_tiles.errors import WorkFailed

CONTENT = b"pixels" * 400_000
MD5 = f"md5:{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder and writes nothing to the terminal."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        return


@pytest.fixture
def served(tmp_path: Path) -> Iterator[DataSet]:
    """A data set of one file on a server of this machine."""
    pytest.importorskip("pooch")
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "images.tar").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/images.tar"
        yield DataSet(
            "test", "t", "c", None, "https://page", files=(DataFile("images.tar", url, MD5),)
        )
        server.shutdown()


def test_a_file_arrives_whole_and_is_checked(served: DataSet, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    report = fetch(served, tmp_path / "out", lambda *words: told.append(words))
    (file,) = report.files
    assert (tmp_path / "out" / "images.tar").read_bytes() == CONTENT
    assert (file.name, file.bytes, file.verified) == ("images.tar", len(CONTENT), True)
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert told[-1] == ("MiB", len(CONTENT) // 2**20, len(CONTENT) // 2**20)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["images.tar"]


def test_a_wrong_file_never_gets_its_name(served: DataSet, tmp_path: Path) -> None:
    wrong = replace(served, files=(replace(served.files[0], checksum="md5:" + "0" * 32),))
    with pytest.raises(WorkFailed, match="By hand"):
        fetch(wrong, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_files_placed_by_hand_need_no_network(tmp_path: Path) -> None:
    data = DataSet(
        "test", "t", "c", None, "https://page", files=(DataFile("images.tar", "http://x", MD5),)
    )
    (tmp_path / "images.tar").write_bytes(CONTENT)
    assert fetch(data, tmp_path).files[0].verified
    (tmp_path / "images.tar").write_bytes(b"other")
    with pytest.raises(WorkFailed, match="not the published file"):
        fetch(data, tmp_path)


def test_without_a_network_the_error_says_how_to_place_files(tmp_path: Path) -> None:
    pytest.importorskip("pooch")
    url = "http://127.0.0.1:9/images.tar"
    data = DataSet("test", "t", "c", None, "https://page", files=(DataFile("images.tar", url),))
    with pytest.raises(WorkFailed, match=r"download images.tar from https://page into .*again"):
        fetch(data, tmp_path / "out")


def test_a_set_without_an_address_is_placed_by_hand(tmp_path: Path) -> None:
    words = ["data", "get", "planaria", "--out", str(tmp_path), "--json"]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 1
    assert "publications.mpi-cbg.de" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    (tmp_path / "planaria").mkdir()
    (tmp_path / "planaria" / "train.npz").write_bytes(b"x")
    report = json.loads(CliRunner().invoke(main, words).stdout)
    assert [(f["name"], f["verified"]) for f in report["files"]] == [("train.npz", False)]


def test_the_list_says_where_everything_comes_from(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["data", "list"])
    assert shown.exit_code == 0
    for word in ("10.6084/m9.figshare.28707218", "10.5281/zenodo.8176722", "CC BY-SA 3.0"):
        assert word in shown.stdout
    assert len(json.loads(CliRunner().invoke(main, ["data", "list", "--json"]).stdout)) == 6
    dry = CliRunner().invoke(main, ["data", "get", "mri", "--dry-run", "--out", str(tmp_path)])
    assert dry.exit_code == 0
    assert not list(tmp_path.iterdir())
