"""RemoteStore: what Zarr reads and writes behind a URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

from stable_tiles.remote.location import Location, Remote

Buffers = list[Buffer | None]
Keys = list[str]


class RemoteStore(Store):
    """A Zarr store behind a URL; each request is made in a thread and tried again if need be.

    Parameters
    ----------
    remote : Remote
        Where it lies.
    read_only : bool
        Whether writing is refused.
    """

    def __init__(self, remote: Remote, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self.remote = remote

    def __eq__(self, value: object) -> bool:
        same = isinstance(value, RemoteStore) and value.remote == self.remote
        return same and value.read_only == self.read_only  # type: ignore[attr-defined]  # a RemoteStore

    def __hash__(self) -> int:
        return hash(self.remote)

    def __str__(self) -> str:
        return str(self.remote)

    def with_read_only(self, read_only: bool = False) -> RemoteStore:
        """The same store, to be read only or not."""
        return RemoteStore(self.remote, read_only=read_only)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The bytes of a key, or the part that was asked for."""
        data = await asyncio.to_thread(self._read, key, byte_range)
        return None if data is None else prototype.buffer.from_bytes(data)

    def _read(self, key: str, asked: ByteRequest | None) -> bytes | None:
        objects = self.remote.objects
        if isinstance(asked, RangeByteRequest):
            return objects.read(key, (asked.start, asked.end))
        if isinstance(asked, SuffixByteRequest):
            return objects.read_end(key, asked.suffix)
        data = objects.read(key)
        if data is not None and isinstance(asked, OffsetByteRequest):
            return data[asked.offset :]
        return data

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> Buffers:
        """Several parts at once."""
        return list(
            await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges))
        )

    async def exists(self, key: str) -> bool:
        """Whether there is such a key."""
        return await asyncio.to_thread(self.remote.holds, key)

    @property
    def supports_writes(self) -> bool:
        """Yes, where the address takes them."""
        return self.remote.is_writable

    @property
    def supports_deletes(self) -> bool:
        """As `supports_writes`."""
        return self.remote.is_writable

    @property
    def supports_listing(self) -> bool:
        """Yes."""
        return True

    async def set(self, key: str, value: Buffer) -> None:
        """Put a value there."""
        self._check_writable()
        await asyncio.to_thread(self.remote.objects.write, key, value.to_bytes())

    async def delete(self, key: str) -> None:
        """Remove a key."""
        self._check_writable()
        await asyncio.to_thread(self.remote.objects.remove, [key])

    async def list(self) -> AsyncIterator[str]:
        """All keys."""
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """The keys below a prefix."""
        for key in await asyncio.to_thread(self._keys, prefix):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """The names that follow a prefix directly."""
        root = prefix.rstrip("/")
        keys = await asyncio.to_thread(self._keys, root)
        cut = len(root) + 1 if root else 0
        for name in sorted({key[cut:].partition("/")[0] for key in keys}):
            yield name

    def _keys(self, prefix: str) -> Keys:
        return [key for key, _ in self.remote.objects.entries(prefix.rstrip("/"))]


def zarr_store(where: Location, *, read_only: bool = True) -> str | RemoteStore:
    """What `zarr.open_group` takes to open a location."""
    return RemoteStore(where, read_only=read_only) if isinstance(where, Remote) else str(where)
