"""A bucket for tests: moto's S3 in this process, behind a door that counts and makes trouble.

The door is what clients connect to.  It can answer 500, wait, drop a connection
after the request did its work, or close with all connections cut, as a killed
server does; what moto has stored stays, as on a server's disk.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Literal
from urllib.parse import unquote

from stable_tiles.remote.location import Remote, files_of, locate, write_whole

NAME = "slides"

Trouble = Literal["403", "500", "slow", "lost"]
"""A refusal, an error, an answer that takes long, or none although the request did its work."""

SLOW_S = 0.3

Asked = tuple[str, str, str]
"""Method, key and range of a request."""

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDTEST",
    "AWS_SECRET_ACCESS_KEY": "hidden-key",
    "AWS_REGION": "us-east-1",
}


def calm(number: int) -> Trouble | None:
    """No trouble."""


class Door(ThreadingHTTPServer):
    """Where clients connect: passes requests on to moto."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, bucket: Bucket) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.bucket = bucket
        self.shut = Event()
        self.open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        """A new connection, remembered so that it can be cut."""
        connection, address = super().get_request()
        self.open.add(connection)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections are cut on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Door

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's signature
        """Keep quiet."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bucket = self.server.bucket
        key = unquote(self.path.partition("?")[0]).removeprefix(f"/{NAME}").strip("/")
        asked = (self.command, key, self.headers.get("Range", ""))
        trouble = bucket.count(asked)
        if trouble in {"403", "500"}:
            self._answer(int(trouble), {}, b"<Error><Code>Trouble</Code></Error>")
            return
        if trouble == "slow":
            time.sleep(SLOW_S)
        upstream = HTTPConnection("127.0.0.1", bucket.moto_port, timeout=30)
        upstream.request(self.command, self.path, body, dict(self.headers.items()))
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if trouble == "lost" or self.server.shut.is_set():
            if trouble != "lost":
                bucket.lost(asked)
            self.close_connection = True
            self.connection.close()
            return
        self._answer(answer.status, dict(answer.getheaders()), content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815 - http.server's names

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        size = headers.pop("Content-Length", str(len(content)))
        for name, value in headers.items():
            if name.lower() not in {"connection", "transfer-encoding", "server", "date"}:
                self.send_header(name, value)
        self.send_header("Content-Length", size if self.command == "HEAD" else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class Bucket:
    """A bucket of moto's and its door; the door's port stays the same when it is opened again."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._moto.start()
        self.moto_port = int(self._moto.get_host_and_port()[1])
        made = HTTPConnection("127.0.0.1", self.moto_port)
        made.request("PUT", f"/{NAME}")
        made.getresponse().read()
        made.close()
        self._lock = Lock()
        self.trouble: Callable[[int], Trouble | None] = calm
        self.asked: Counter[Asked] = Counter()
        self.failed: Counter[Asked] = Counter()
        self._door: Door | None = None
        self.port = 0
        self.open()

    @property
    def endpoint(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Open the door, again on the same port."""
        self._door = Door(self.port, self)
        self.port = self._door.server_port
        Thread(target=self._door.serve_forever, args=(0.02,), daemon=True).start()

    def kill(self) -> None:
        """Close the door and cut all connections."""
        door, self._door = self._door, None
        assert door is not None
        door.shut.set()
        door.shutdown()
        door.server_close()
        for connection in door.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        """Stop everything."""
        if self._door is not None:
            self.kill()
        self._moto.stop()

    def count(self, asked: Asked) -> Trouble | None:
        """Count a request; returns the trouble that it gets."""
        with self._lock:
            self.asked[asked] += 1
            trouble = self.trouble(self.asked.total())
            if trouble in {"500", "lost"}:
                self.failed[asked] += 1
        return trouble

    def lost(self, asked: Asked) -> None:
        """Count a request that was cut before its answer."""
        with self._lock:
            self.failed[asked] += 1

    def forget(self) -> None:
        """Count from nothing."""
        with self._lock:
            self.asked.clear()
            self.failed.clear()

    def repeated(self, method: str, within: str) -> dict[Asked, int]:
        """Requests for pixels of a store that were made again without having failed."""
        with self._lock:
            return {
                asked: times
                for asked, times in self.asked.items()
                if asked[0] == method
                and asked[1].startswith(within)
                and "/c/" in asked[1]
                and times > 1 + self.failed[asked]
            }

    @contextmanager
    def troubled(self, trouble: Callable[[int], Trouble | None]) -> Iterator[None]:
        """Trouble for a while."""
        self.trouble = trouble
        try:
            yield
        finally:
            self.trouble = calm


def put(folder: Path, url: str) -> Remote:
    """A local store copied behind a URL."""
    where = locate(url)
    assert isinstance(where, Remote)
    for name, _ in files_of(folder):
        write_whole(where, name, (folder / name).read_bytes())
    return where


def fetched(url: str) -> dict[str, bytes]:
    """All objects below a URL but the root's metadata, which tell when and where they were made."""
    where = locate(url)
    assert isinstance(where, Remote)
    names = [name for name, _ in files_of(where) if "/" in name]
    return {name: where.objects.read(name) or b"" for name in names}
