"""Objects behind all other addresses, through fsspec."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from fsspec.core import url_to_fs

from stable_tiles.remote.objects import Entry, Part, shown
from stable_tiles.remote.patience import patiently


class OtherObjects:
    """Objects behind any address that fsspec knows.

    What fsspec lacks is a write under a condition: `write_if` looks, writes
    and looks again, so of two writers in the same moment both may lose but
    never both win.

    Parameters
    ----------
    address : str
        Such as ``gs://bucket/folder`` or ``https://host/folder``.
    patient : bool
        Whether to try long.
    """

    def __init__(self, address: str, patient: bool) -> None:
        base, mark, query = address.partition("?")
        self._fs, root = url_to_fs(base)
        self._root, self._query = str(root).rstrip("/"), mark + query
        self._where, self._patient = shown(address), patient
        self._lists = urlsplit(address).scheme not in {"http", "https"}
        self._warned = False

    def read(self, key: str, part: Part | None = None) -> bytes | None:
        """See `Objects`."""
        if part is None:
            return self._found(lambda: self._fs.cat_file(self._path(key)))
        start, stop = part
        return self._cut(
            key, self._found(lambda: self._fs.cat_file(self._path(key), start, stop)), part
        )

    def read_end(self, key: str, size: int) -> bytes | None:
        """See `Objects`."""
        data = self._found(lambda: self._fs.cat_file(self._path(key), -size))
        return None if data is None else self._cut(key, data, (-size, len(data)))

    def read_parts(self, key: str, parts: Sequence[Part]) -> list[bytes]:
        """See `Objects`."""
        found = [self.read(key, part) for part in parts]
        if any(data is None for data in found):
            raise FileNotFoundError(f"{self._where}/{key}")
        return [data for data in found if data is not None]

    def write(self, key: str, data: bytes) -> None:
        """See `Objects`."""
        self._ask(lambda: self._fs.pipe_file(self._path(key), data))

    def write_if(self, key: str, data: bytes, tag: str | None) -> str | None:
        """See `Objects`."""
        now = self.read_tagged(key)
        if (now and now[1]) != tag:
            return None
        self.write(key, data)
        mine = self.read_tagged(key)
        return mine[1] if mine and mine[0] == data else None

    def read_tagged(self, key: str) -> tuple[bytes, str] | None:
        """See `Objects`; what is there is its own tag."""
        data = self.read(key)
        return None if data is None else (data, sha256(data).hexdigest())

    def stat(self, key: str) -> Entry | None:
        """See `Objects`."""
        self._fs.invalidate_cache()
        try:
            return _entry(self._ask(lambda: self._fs.info(self._path(key))))
        except FileNotFoundError:
            return None

    def entries(self, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """See `Objects`; a plain web server cannot tell, and has none."""
        if not self._lists:
            return
        self._fs.invalidate_cache()
        try:
            found = self._ask(lambda: self._fs.find(self._path(prefix), detail=True))
        except FileNotFoundError:
            return
        for path, meta in found.items():
            yield str(path)[len(self._root) :].lstrip("/"), _entry(meta)

    def remove(self, keys: Sequence[str]) -> None:
        """See `Objects`."""
        for path in map(self._path, keys):
            with suppress(FileNotFoundError):
                self._ask(partial(self._fs.rm_file, path))

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}{self._query}" if key else f"{self._root}{self._query}"

    def _found(self, call: Callable[[], Any]) -> bytes | None:
        try:
            return bytes(self._ask(call))
        except (FileNotFoundError, KeyError):  # the second is what archives say
            return None

    def _cut(self, key: str, data: bytes | None, part: Part) -> bytes | None:
        """The part of an object that was asked for; a server may have sent all of it.

        Cutting it out costs traffic, but never reads the wrong bytes.
        """
        start, stop = part
        wanted = stop - start if start >= 0 else -start
        if data is None or len(data) <= wanted:
            return data
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the server of {key} ignores byte ranges: whole shards travel for every chunk; "
                "use a server with range requests, or stores without shards",
                UserWarning,
                stacklevel=2,
            )
        return data[start:] if start < 0 else data[start:stop]

    def _ask(self, call: Callable[[], Any]) -> Any:
        return patiently(call, self._where, self._patient)


def _entry(meta: Any) -> Entry:
    names = ("ETag", "etag", "md5Hash", "content_md5")
    tags = (meta[name] for name in names if meta.get(name))
    return Entry(int(meta.get("size") or 0), str(next(tags, "")).strip('"'))
