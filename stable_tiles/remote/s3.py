"""Objects of S3, through obstore."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from stable_tiles.errors import StoreNotFound
from stable_tiles.remote.objects import Entry, Part, shown
from stable_tiles.remote.patience import patiently

_TIMEOUT = "120s"
"""For one request of up to a whole shard."""

_PAGE = 1000
"""Objects that a bucket lists in one answer."""


class S3Objects:
    """Objects of an S3 bucket, or of what speaks like one, through obstore.

    Credentials, region and endpoint are those of the variables ``AWS_*``.

    Parameters
    ----------
    address : str
        Such as ``s3://bucket/folder``.
    patient : bool
        Whether to try long.
    """

    def __init__(self, address: str, patient: bool) -> None:
        parts = urlsplit(address)
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        plain = bool(endpoint) and str(endpoint).startswith("http://")
        options: dict[str, Any] = {"allow_http": True} if plain else {}
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={**options, "timeout": _TIMEOUT},
            # Tried again here, where the work can be stopped meanwhile.
            retry_config={"max_retries": 0},
            **({"endpoint": endpoint} if endpoint else {}),
        )
        self._where, self._patient = shown(address), patient

    def read(self, key: str, part: Part | None = None) -> bytes | None:
        """See `Objects`."""
        if part is None:
            return self._found(lambda: obstore.get(self._store, key).bytes())
        start, stop = part
        return self._found(lambda: obstore.get_range(self._store, key, start=start, end=stop))

    def read_end(self, key: str, size: int) -> bytes | None:
        """See `Objects`."""
        options = {"range": {"suffix": size}}
        return self._found(lambda: obstore.get(self._store, key, options=options).bytes())

    def read_parts(self, key: str, parts: Sequence[Part]) -> list[bytes]:
        """See `Objects`."""
        starts, stops = [a for a, _ in parts], [b for _, b in parts]
        found = self._ask(
            # Parts that touch are one request; what lies between others is not read.
            lambda: obstore.get_ranges(self._store, key, starts=starts, ends=stops, coalesce=0)
        )
        return [bytes(part) for part in found]

    def write(self, key: str, data: bytes) -> None:
        """See `Objects`."""
        self._ask(lambda: obstore.put(self._store, key, data, use_multipart=False))

    def write_if(self, key: str, data: bytes, tag: str | None) -> str | None:
        """See `Objects`."""
        mode = "create" if tag is None else {"e_tag": tag}
        try:
            put = self._ask(lambda: obstore.put(self._store, key, data, mode=mode))
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            return None
        return str(put["e_tag"])

    def read_tagged(self, key: str) -> tuple[bytes, str] | None:
        """See `Objects`."""

        def ask() -> tuple[bytes, str]:
            found = obstore.get(self._store, key)
            return found.bytes().to_bytes(), str(found.meta["e_tag"])

        try:
            return patiently(ask, self._where, self._patient)
        except FileNotFoundError:
            return None

    def stat(self, key: str) -> Entry | None:
        """See `Objects`."""
        try:
            return _s3_entry(self._ask(lambda: obstore.head(self._store, key)))
        except FileNotFoundError:
            return None

    def entries(self, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """See `Objects`."""
        # Page by page: a listing that breaks off goes on behind what was listed.
        page: Sequence[Any] = self._page(prefix, None)
        while page:
            for meta in page:
                yield str(meta["path"]), _s3_entry(meta)
            page = self._page(prefix, page[-1]["path"]) if len(page) == _PAGE else []

    def remove(self, keys: Sequence[str]) -> None:
        """See `Objects`."""
        if keys:
            with suppress(FileNotFoundError):
                self._ask(lambda: obstore.delete(self._store, list(keys)))

    def _page(self, prefix: str, after: str | None) -> Sequence[Any]:
        def ask() -> Sequence[Any]:
            listed = obstore.list(
                self._store, prefix=prefix or None, offset=after, chunk_size=_PAGE
            )
            return next(iter(listed), [])

        return patiently(ask, self._where, self._patient)

    def _found(self, call: Callable[[], Any]) -> bytes | None:
        try:
            return bytes(self._ask(call))
        except StoreNotFound:
            raise
        except FileNotFoundError:
            return None

    def _ask(self, call: Callable[[], Any]) -> Any:
        return patiently(call, self._where, self._patient)


def _s3_entry(meta: Any) -> Entry:
    return Entry(int(meta["size"]), str(meta["e_tag"]))
