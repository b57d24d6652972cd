"""Site: which file a request's path names, and that there is no other.

This module alone decides what leaves the disk: the page's own files and what
lies inside the named stores, followed through symlinks and compared again.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from stable_tiles.remote.location import Remote
from stable_tiles.view.sources import Source, manifest, served_url

INDEX = "index.html"

MANIFEST = "stores.json"
"""Where the page finds the names and addresses of its stores."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy: the page reaches nothing but the server that it came from."""

DECODER = "assets/decoder.worker.js"

DECODER_POLICY = "default-src 'none'; script-src 'self' 'unsafe-eval'"
"""The worker that decompresses builds functions from strings, and reaches nothing at all."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class Refused(Exception):
    """A request that gets no file; `status` and `headers` are the answer's."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(status))
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True)
class RemoteFile:
    """An object of a store behind a URL, which may not be there.

    Parameters
    ----------
    store : Remote
        The store.
    key : str
        The object's name in it.
    """

    store: Remote
    key: str

    @property
    def name(self) -> str:
        """Last part of its name."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True)
class Site:
    """The page and the stores it shows.

    Parameters
    ----------
    page : Path
        Folder of the built page, resolved.
    sources : tuple of Source
        The stores.
    """

    page: Path
    sources: tuple[Source, ...]

    @property
    def manifest(self) -> bytes:
        """The document under the name ``stores.json``."""
        return manifest(self.sources, [served_url(source) for source in self.sources]).encode()

    def file(self, target: str) -> Path | RemoteFile:
        """The file that a request's target names, without symlinks.

        Parameters
        ----------
        target : str
            As it stands in the request line, still percent-encoded.

        Raises
        ------
        Refused
            403 for a path that climbs or leaves its store through a symlink,
            404 for one that names no file (folders are never listed).
        """
        parts = _parts(target)
        if not parts:
            return self.page / INDEX
        if parts[0] != "stores":
            return _inside(self.page, parts)
        if len(parts) < 3:
            raise Refused(404)
        for source in self.sources:
            if source.name == parts[1]:
                if isinstance(source.path, Remote):
                    return RemoteFile(source.path, "/".join(parts[2:]))
                return _inside(source.path, parts[2:])
        raise Refused(404)

    def is_manifest(self, target: str) -> bool:
        """Whether the target names the document that lists the stores."""
        return _parts(target) == [MANIFEST]

    def policy(self, path: Path | RemoteFile) -> str:
        """The Content-Security-Policy that goes with a file."""
        return DECODER_POLICY if path == self.page / DECODER else POLICY


def page_folder() -> Path:
    """Folder of the built page inside this package."""
    return Path(str(files("stable_tiles.view") / "page")).resolve()


def content_type(name: str) -> str:
    """The media type of a file of that name; bytes where it says nothing."""
    known = _TYPES.get(PurePosixPath(name).suffix) or mimetypes.guess_type(name)[0]
    return known or "application/octet-stream"


def _parts(target: str) -> list[str]:
    """The segments of a target's path, decoded once; refuses all that climb or hide."""
    if not target.startswith("/"):
        raise Refused(403)
    path = target.partition("#")[0].partition("?")[0]
    parts = [unquote(part) for part in path.split("/")[1:]]
    if parts[-1:] == [""]:
        parts.pop()
    for part in parts:
        if part in {"", ".", ".."} or any(c in part for c in "/\\\0"):
            raise Refused(403)
    return parts


def _inside(folder: Path, parts: Sequence[str]) -> Path:
    try:
        path = folder.joinpath(*parts).resolve()
        if not path.is_relative_to(folder):
            raise Refused(403)
        if not path.is_file():
            raise Refused(404)
    except (OSError, RuntimeError, ValueError):
        raise Refused(404) from None
    return path
