"""Locations: a disk and objects behind a URL answer alike."""

from __future__ import annotations

from pathlib import Path
from threading import Timer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError, StoreUnreachable
from stable_tiles.remote import patience
from stable_tiles.remote.location import (
    Remote,
    clear,
    files_of,
    locate,
    read_whole,
    write_whole,
)
from stable_tiles.remote.patience import patiently, stop_waiting

NAMES = st.text("ab.-", min_size=1, max_size=4).filter(lambda name: set(name) - set("."))


@settings(deadline=None, max_examples=20)
@given(contents=st.dictionaries(NAMES, st.binary(max_size=20), min_size=1, max_size=4))
def test_what_is_written_is_found_here_as_there(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]
) -> None:
    folders = tmp_path_factory.mktemp("here"), locate("memory://there/a.zarr")
    for folder in folders:
        clear(folder)
        if isinstance(folder, Path):
            folder.mkdir()
        for name, data in contents.items():
            write_whole(folder, name, data)
        assert {name: read_whole(folder, name) for name, _ in files_of(folder)} == contents
        assert {name: entry.bytes for name, entry in files_of(folder)} == {
            name: len(data) for name, data in contents.items()
        }
        assert read_whole(folder, "c") is None
        clear(folder)
        assert not folder.exists()


@pytest.mark.parametrize(
    ("address", "shown", "name", "below"),
    [
        ("s3://b/x/a.zarr/", "s3://b/x/a.zarr/", "a.zarr", "s3://b/x/a.zarr/0"),
        ("https://u:p@h/a.zarr?sig=1", "https://h/a.zarr", "a.zarr", "https://h/a.zarr/0"),
        ("memory://a.zarr", "memory://a.zarr", "a.zarr", "memory://a.zarr/0"),
    ],
)
def test_an_address_is_shown_without_its_secrets_and_keeps_them(
    address: str, shown: str, name: str, below: str
) -> None:
    remote = locate(address)
    assert isinstance(remote, Remote)
    assert (str(remote), remote.name, str(remote / "0")) == (shown, name, below)
    assert "sig=1" not in repr(remote)
    assert (remote / "0").address.partition("?")[2] == address.partition("?")[2]
    assert (remote / "0").is_below(remote)
    assert not remote.with_name("b").is_below(remote)


def test_paths_stay_paths_and_passwords_stay_out_of_urls() -> None:
    assert locate("a/b.zarr") == Path("a/b.zarr")
    assert locate("file:///a/b.zarr") == Path("/a/b.zarr")
    with pytest.raises(InputError, match="AWS_SECRET_ACCESS_KEY") as caught:
        locate("s3://me:hidden@bucket/a.zarr")
    assert "hidden" not in str(caught.value)


def test_a_request_is_made_again_as_often_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_WAIT_S", 0.001)
    made = []

    def fail_until(times: int) -> str:
        made.append(1)
        if len(made) < times:
            raise ConnectionResetError("reset, with X-Amz-Signature=hidden")
        return "here"

    assert patiently(lambda: fail_until(4), "s3://b") == "here"
    assert len(made) == 4
    made.clear()
    with pytest.raises(StoreUnreachable, match="tried 14 times") as caught:
        patiently(lambda: fail_until(100), "s3://b")
    assert len(made) == 14
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [PermissionError("no"), ValueError("wrong"), FileNotFoundError("gone")]
)
def test_what_cannot_pass_is_not_tried_again(error: Exception) -> None:
    made = []

    def fail() -> None:
        made.append(error)
        raise error

    with pytest.raises((StoreUnreachable, ValueError, FileNotFoundError)):
        patiently(fail, "s3://b")
    assert len(made) == 1


def test_work_that_is_stopped_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_WAIT_S", 60.0)
    monkeypatch.setattr(patience, "_LONGEST_WAIT_S", 60.0)

    def fail() -> None:
        stop_soon.start()
        raise ConnectionResetError

    stop_soon = Timer(0.1, stop_waiting)
    with pytest.raises(StoreUnreachable):
        patiently(fail, "s3://b")
