from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError
from stable_tiles.view import Viewer, view
from stable_tiles.view.verb import PORT
from tests.image.stores import write_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with symlinks out of it and within it, and a secret beside it."""
    folder = tmp_path_factory.mktemp("served")
    path = folder / "a b.zarr"
    write_store(path, np.arange(200 * 300, dtype=np.uint16).reshape(200, 300))
    (folder / "secret.txt").write_text("secret")
    (folder / "a b.zarr.backup").mkdir()
    (folder / "a b.zarr.backup" / "zarr.json").write_text("secret")
    (path / "out").symlink_to(folder / "secret.txt")
    (path / "up").symlink_to(folder)
    (path / "within").symlink_to(path / "zarr.json")
    os.mkfifo(path / "pipe")
    return path


@pytest.fixture(scope="module")
def viewer(store: Path) -> Iterator[Viewer]:
    with view([store], 0) as opened:
        yield opened


def port_of(viewer: Viewer) -> int:
    return int(viewer.url.rsplit(":", 1)[1].rstrip("/"))


def ask(viewer: Viewer, target: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """Status and body of a request whose target is sent as it stands."""
    status, _, body = answer(viewer, target, method, headers)
    return status, body


def answer(
    viewer: Viewer, target: str, method: str, headers: dict[str, str]
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(viewer), timeout=10)
    try:
        connection.putrequest(method, target, skip_host=True)
        for name, value in {"Host": f"127.0.0.1:{port_of(viewer)}", **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        found = connection.getresponse()
        return found.status, found.headers, found.read()
    finally:
        connection.close()


META = "/stores/a%20b.zarr/zarr.json"


def test_the_page_its_stores_and_their_files_are_there(viewer: Viewer, store: Path) -> None:
    assert ask(viewer, "/")[0] == 200
    assert b'"a b.zarr"' in ask(viewer, "/stores.json")[1]
    assert ask(viewer, META) == (200, (store / "zarr.json").read_bytes())
    assert ask(viewer, "/stores/a%20b.zarr/within")[0] == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/stores/a%20b.zarr/../secret.txt", 403),
        ("/stores/a%20b.zarr/%2e%2e/secret.txt", 403),
        ("/stores/a%20b.zarr/0/../zarr.json", 403),
        ("/stores/a%20b.zarr/./zarr.json", 403),
        ("/stores/a%20b.zarr/..%2fsecret.txt", 403),
        ("/stores/a%20b.zarr/..%5csecret.txt", 403),
        ("/stores/a%20b.zarr/%252e%252e/secret.txt", 404),
        ("/stores/a%20b.zarr//etc/passwd", 403),
        ("/stores/a%20b.zarr/%2fetc/passwd", 403),
        ("/stores/a%20b.zarr/zarr.json%00.txt", 403),
        ("/stores/a%20b.zarr/out", 403),
        ("/stores/a%20b.zarr/up/secret.txt", 403),
        ("/stores/a%20b.zarr/up", 403),
        ("/stores/a%20b.zarr/pipe", 404),
        ("/stores/a%20b.zarr/zarr.json/more", 404),
        ("/stores/a%20b.zarr/" + "x" * 300, 404),
        ("/stores/a%20b.zarr", 404),
        ("/stores/a%20b.zarr/0", 404),
        ("/stores/a%20b.zarr/0/", 404),
        ("/stores/a%20b.zarr.backup/zarr.json", 404),
        ("/stores/secret.txt", 404),
        ("/stores/", 404),
        ("/stores", 404),
        ("/assets/", 404),
        ("/../server.py", 403),
        ("/etc/passwd", 404),
        ("http://127.0.0.1/stores.json", 403),
        ("*", 403),
    ],
)
def test_whatever_lies_outside_the_stores_is_refused(
    viewer: Viewer, target: str, status: int
) -> None:
    found, body = ask(viewer, target)
    assert found == status
    assert b"secret" not in body
    assert ask(viewer, target, "HEAD") == (status, b"")


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    parts=st.lists(
        st.sampled_from(["..", "%2e%2E", ".", "", "up", "out", "0", "%2f", "%5c..", "secret.txt"])
        | st.text("abc.%25/\\", max_size=4),
        max_size=6,
    )
)
def test_no_path_reaches_the_secret(viewer: Viewer, parts: list[str]) -> None:
    status, body = ask(viewer, "/stores/a%20b.zarr/" + "/".join(parts))
    assert status in {403, 404}
    assert b"secret" not in body


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"]
)
def test_only_get_and_head_are_answered(viewer: Viewer, method: str) -> None:
    status, headers, _ = answer(viewer, "/stores.json", method, {})
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"


def test_a_body_is_refused(viewer: Viewer) -> None:
    assert ask(viewer, "/", Content_Length="5")[0] == 400
    assert ask(viewer, "/", Transfer_Encoding="chunked")[0] == 400


def test_other_hosts_origins_and_sites_are_refused(viewer: Viewer) -> None:
    own = port_of(viewer)
    for host in ("evil.example", f"evil.example:{own}", "127.0.0.1", f"127.0.0.1:{own + 1}", ""):
        assert ask(viewer, META, Host=host)[0] == 403
    assert ask(viewer, META, Host=f"localhost:{own}")[0] == 200
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{own}", "http://127.0.0.1"):
        assert ask(viewer, META, Origin=origin)[0] == 403
    assert ask(viewer, META, Origin=f"http://127.0.0.1:{own}")[0] == 200
    for site in ("cross-site", "same-site"):
        assert ask(viewer, META, Sec_Fetch_Site=site)[0] == 403
    assert ask(viewer, META, Sec_Fetch_Site="same-origin")[0] == 200


def test_a_link_to_the_page_may_be_followed_from_anywhere(viewer: Viewer) -> None:
    assert ask(viewer, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Dest="document")[0] == 200


def test_a_request_without_a_host_or_with_two_is_refused(viewer: Viewer) -> None:
    for head in (b"", f"Host: 127.0.0.1:{port_of(viewer)}\r\nHost: evil.example\r\n".encode()):
        with socket.create_connection(("127.0.0.1", port_of(viewer)), timeout=10) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n" + head + b"\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 403")


@settings(deadline=None, max_examples=40)
@given(first=st.integers(0, 500), length=st.integers(1, 500))
def test_a_range_is_those_bytes(viewer: Viewer, store: Path, first: int, length: int) -> None:
    whole = (store / "zarr.json").read_bytes()
    expected = whole[first : first + length]
    status, headers, body = answer(
        viewer, META, "GET", {"Range": f"bytes={first}-{first + length - 1}"}
    )
    assert (status, body) == (206, expected)
    assert headers["Content-Range"] == f"bytes {first}-{first + len(expected) - 1}/{len(whole)}"
    assert ask(viewer, META, Range=f"bytes=-{length}") == (206, whole[-length:])


def test_open_ended_impossible_and_strange_ranges(viewer: Viewer, store: Path) -> None:
    whole = (store / "zarr.json").read_bytes()
    assert ask(viewer, META, Range="bytes=10-") == (206, whole[10:])
    assert ask(viewer, META, Range="bytes=-99999999") == (206, whole)
    status, headers, _ = answer(viewer, META, "GET", {"Range": f"bytes={len(whole)}-"})
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    assert ask(viewer, META, Range="bytes=-0")[0] == 416
    for strange in ("bytes=a-b", "bytes=-", "lines=0-3", "bytes=0-1,4-5", "bytes=" + "9" * 5000):
        assert ask(viewer, META, Range=strange) == (200, whole)


def test_head_tells_the_size_and_sends_nothing(viewer: Viewer, store: Path) -> None:
    status, headers, body = answer(viewer, META, "HEAD", {})
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == (store / "zarr.json").stat().st_size


def test_every_answer_keeps_the_page_to_itself(viewer: Viewer) -> None:
    for target in ("/", META, "/nothing"):
        headers = answer(viewer, target, "GET", {})[1]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "connect-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


def test_the_decoder_alone_may_build_functions_and_reaches_nothing(viewer: Viewer) -> None:
    headers = answer(viewer, "/assets/decoder.worker.js", "GET", {})[1]
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self' 'unsafe-eval'"
    )


def test_it_listens_on_the_loopback_address_only(viewer: Viewer) -> None:
    listening = viewer._server.socket.getsockname()
    assert listening[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_named(viewer: Viewer, store: Path) -> None:
    with pytest.raises(InputError, match=rf"port {port_of(viewer)}: .*--port 0"):
        view([store], port_of(viewer))


def test_without_a_port_a_second_viewer_takes_a_free_one(store: Path) -> None:
    with view([store]) as first, view([store]) as second:
        assert port_of(first) != port_of(second)
        assert PORT not in {port_of(second), 0}


def test_a_closed_viewer_frees_its_port(store: Path) -> None:
    with view([store], 0) as first:
        port = port_of(first)
    with view([store], port) as second:
        assert port_of(second) == port


def test_stores_of_one_name_are_told_apart(store: Path, tmp_path: Path) -> None:
    write_store(tmp_path / "a b.zarr", np.zeros((80, 80), np.uint8), shard=0)
    with view([store, tmp_path / "a b.zarr"], 0) as opened:
        assert [source.name for source in opened.stores] == ["a b.zarr", "a b.zarr (2)"]
        assert ask(opened, "/stores/a%20b.zarr%20%282%29/.zattrs")[0] == 200


@pytest.mark.parametrize(
    ("stores", "said"),
    [
        ([], "no store"),
        (["missing.zarr"], "no store missing.zarr"),
        (["s3://key:secret@bucket/a.zarr"], "credentials do not belong"),
    ],
)
def test_what_cannot_be_shown_is_said_at_once(stores: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        view(stores, 0)
