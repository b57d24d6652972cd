"""Stores behind HTTP, also where the server ignores byte ranges and always sends whole files.

A shard is read in parts.  A server without ranges (such as ``python -m
http.server``) answers with all of it; cutting the part out here costs time
and traffic, but never reads the wrong bytes.
"""

from __future__ import annotations

import warnings
from typing import Any

from zarr.abc.store import ByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore, WrapperStore


class HttpStore(WrapperStore[Any]):
    """A read-only store behind an ``http://`` or ``https://`` address."""

    _warned = False

    @classmethod
    def from_url(cls, url: str) -> HttpStore:
        """The store at an address; nothing is requested yet."""
        return cls(FsspecStore.from_url(url, read_only=True))

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The bytes of a key, or the part that was asked for."""
        value = await super().get(key, prototype, byte_range)
        if value is None or byte_range is None:
            return value
        if isinstance(byte_range, RangeByteRequest):
            wanted, part = (
                byte_range.end - byte_range.start,
                slice(byte_range.start, byte_range.end),
            )
        elif isinstance(byte_range, SuffixByteRequest):
            wanted, part = byte_range.suffix, slice(len(value) - byte_range.suffix, None)
        else:
            return value
        if len(value) <= wanted:
            return value
        self._warn(key)
        return value[part]

    def _warn(self, key: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the server of {key} ignores byte ranges: whole shards travel for every chunk; "
                "use a server with range requests, or stores without shards",
                UserWarning,
                stacklevel=2,
            )
