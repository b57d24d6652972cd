"""Server: the page and the named stores, on the loopback address, to its own page only.

It answers GET and HEAD, whole files or one range of bytes.  `Site` decides
which files there are; this module decides who may ask.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from stable_tiles.errors import InputError, StoreUnreachable
from stable_tiles.view.site import POLICY, Refused, RemoteFile, Site, content_type

ADDRESS = "127.0.0.1"
"""The only address that is ever listened on."""

_BLOCK = 2**18

_IDLE_S = 30.0
"""A connection that says nothing for so long is closed."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Accept-Ranges": "bytes",
}

_METHOD = HTTPStatus.METHOD_NOT_ALLOWED

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Server(ThreadingHTTPServer):
    """Listens from its creation on; `serve_forever` answers.

    Parameters
    ----------
    site : Site
        What there is to serve.
    port : int
        0 lets the system choose.

    Raises
    ------
    InputError
        If the port is taken or not allowed.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        try:
            super().__init__((ADDRESS, port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(
                f"cannot listen on port {port}: {reason}. Use another --port, or --port 0 for a "
                "free one"
            ) from None

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{ADDRESS}:{self.server_port}/"

    @property
    def hosts(self) -> frozenset[str]:
        """What a Host header may say."""
        return frozenset(f"{name}:{self.server_port}" for name in (ADDRESS, "localhost"))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that drops a connection is no error of this program."""


class Handler(BaseHTTPRequestHandler):
    """One connection; a request that is not refused is answered from a file."""

    protocol_version = "HTTP/1.1"
    server_version = "stable-tiles"
    sys_version = ""
    timeout = _IDLE_S
    server: Server

    def parse_request(self) -> bool:
        """Read the request; answer it at once where its method or its sender is refused."""
        if not super().parse_request():
            return False
        status = self._refusal()
        if status is None:
            return True
        self.close_connection = True
        self._refuse(status, {"Allow": "GET, HEAD"} if status == _METHOD else {})
        return False

    def do_GET(self) -> None:
        """Answer with the file, or the range of it that was asked for."""
        try:
            self._answer()
        except Refused as refused:
            self._refuse(refused.status, refused.headers)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's signature
        """Keep quiet: the library never prints."""

    def _refusal(self) -> int | None:
        """The status that refuses this request whatever it asks for, or None."""
        if self.command not in {"GET", "HEAD"}:
            return _METHOD
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            return HTTPStatus.BAD_REQUEST
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0] not in self.server.hosts:
            return HTTPStatus.FORBIDDEN
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            return HTTPStatus.FORBIDDEN
        # Requests that carry no Origin, such as an image in another site's page, say it here.
        opened = self.headers.get("Sec-Fetch-Dest") == "document"
        sender = self.headers.get("Sec-Fetch-Site", "none")
        if sender not in {"none", "same-origin"} and not opened:
            return HTTPStatus.FORBIDDEN
        return None

    def _answer(self) -> None:
        if self.server.site.is_manifest(self.path):
            content = self.server.site.manifest
            self._head(HTTPStatus.OK, "application/json", len(content))
            if self.command == "GET":
                self.wfile.write(content)
            return
        path = self.server.site.file(self.path)
        if isinstance(path, RemoteFile):
            self._pass_on(path)
            return
        with _open(path) as file:
            size = os.fstat(file.fileno()).st_size
            first, stop = self._begin(path, size)
            if self.command == "GET":
                self._copy(file, first, stop - first)

    def _pass_on(self, file: RemoteFile) -> None:
        """The same from behind a URL, with this process's credentials."""
        objects = file.store.objects
        try:
            entry = objects.stat(file.key)
            if entry is None:
                raise Refused(HTTPStatus.NOT_FOUND)
            part = self._range(entry.bytes)
            content = objects.read(file.key, part) if self.command == "GET" else b""
        except StoreUnreachable:
            raise Refused(HTTPStatus.BAD_GATEWAY) from None
        self._begin(file, entry.bytes)
        self.wfile.write(content or b"")

    def _begin(self, path: Path | RemoteFile, size: int) -> tuple[int, int]:
        """Say what follows of a file of that size: from which byte to which."""
        asked = self._range(size)
        first, stop = asked or (0, size)
        status = HTTPStatus.OK if asked is None else HTTPStatus.PARTIAL_CONTENT
        extra = {} if asked is None else {"Content-Range": f"bytes {first}-{stop - 1}/{size}"}
        extra["Content-Security-Policy"] = self.server.site.policy(path)
        self._head(status, content_type(path.name), stop - first, extra)
        return first, stop

    def _range(self, size: int) -> tuple[int, int] | None:
        """The range asked for as first byte and end; None for the whole file."""
        found = _RANGE.fullmatch(self.headers.get("Range", "").strip())
        if not found or found.groups() == ("", ""):
            return None
        first, last = (int(digits[:20]) if digits else None for digits in found.groups())
        if first is None:
            first, last = max(0, size - (last or 0)), size - 1
        stop = size if last is None else min(size, last + 1)
        if first >= stop:
            status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            raise Refused(status, {"Content-Range": f"bytes */{size}"})
        return first, stop

    def _copy(self, file: IO[bytes], first: int, count: int) -> None:
        file.seek(first)
        while count:
            block = file.read(min(count, _BLOCK))
            if not block:
                # The file shrank; a closed connection tells the page that bytes are missing.
                self.close_connection = True
                return
            self.wfile.write(block)
            count -= len(block)

    def _head(
        self, status: int, kind: str, length: int, extra: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        fixed = {**_HEADERS, "Content-Type": kind, "Content-Length": str(length)}
        for name, value in {**fixed, **(extra or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: int, headers: Mapping[str, str]) -> None:
        closing = {"Connection": "close"} if self.close_connection else {}
        content = f"{status} {HTTPStatus(status).phrase}\n".encode()
        self._head(status, "text/plain; charset=utf-8", len(content), {**headers, **closing})
        if self.command != "HEAD":
            self.wfile.write(content)


def _open(path: Path) -> IO[bytes]:
    """A regular file for reading; a pipe or a link that took its place is refused."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise Refused(HTTPStatus.NOT_FOUND) from None
    file = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        file.close()
        raise Refused(HTTPStatus.NOT_FOUND)
    return file
