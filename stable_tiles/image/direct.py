"""Windows of Zarr v3 arrays, chunk by chunk in the caller's thread.

Zarr's own pipeline passes every chunk through an event loop and a pool of
threads, which on chunks of half a megabyte costs as much as decoding them.
Only what is common is read here: regular chunks of plain little-endian
numbers, uncompressed or by zstd, with or without shards.  Behind a URL the index
of a shard is asked for once, and chunks that lie side by side in one request.
Whatever else it meets, a missing or a broken chunk included, it leaves to
Zarr, which alone decides what that means.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from itertools import product
from math import prod
from threading import local
from typing import Any, cast

import google_crc32c
import imagecodecs
import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.codec import Codec
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec
from zarr.core.metadata import ArrayV3Metadata
from zarr.storage import LocalStore

from stable_tiles.errors import StoreUnreachable
from stable_tiles.image.remote import RemoteStore
from stable_tiles.remote.location import Location, Remote

Window = Sequence[slice]

_MISSING = 2**64 - 1
_CRC_BYTES = 4

_KEPT_BYTES = 2**23
"""Largest scratch that a thread keeps."""

_KEPT_INDEXES = 4096
"""Shards behind a URL whose index is kept, a few KiB each."""

_thread = local()

# Takes and gives arrays too, which its stubs do not say.
_decompress: Any = imagecodecs.zstd_decode


class _NotHere(Exception):
    """A chunk that Zarr has to see."""


@dataclass(frozen=True)
class DirectReader:
    """Reads windows of one array.

    Safe to use from several threads, and after a fork.

    Parameters
    ----------
    folder : Path or Remote
        The array's folder.
    key : callable
        The name of a file in it, from its place in the grid of files.
    dtype : numpy dtype
        Of the pixels.
    chunks : tuple of int
        Shape of what is compressed as one.
    shards : tuple of int or None
        Shape of what is a file, where that is not a chunk.
    compressed : bool
        Whether chunks are compressed by zstd.
    """

    folder: Location
    key: Callable[[tuple[int, ...]], str]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    compressed: bool
    _indexes: dict[str, npt.NDArray[np.uint64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def read(self, window: Window, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any] | None:
        """The pixels of a window, or None where Zarr has to read it.

        Parameters
        ----------
        window : sequence of slice
            One for each axis of the array, with both ends, inside the array.
        out : array, optional
            Where they are put, of the window's shape and the array's dtype; a new
            array, to which nothing else refers, by default.

        Returns
        -------
        ndarray or None
        """
        start, stop = [s.start for s in window], [s.stop for s in window]
        shape = [b - a for a, b in zip(start, stop, strict=True)]
        made = np.empty(shape, self.dtype) if out is None else out
        try:
            for file in _cells(start, stop, self.shards or self.chunks):
                for cell, chunk in self._chunks(file, start, stop):
                    source, target = _overlap(cell, self.chunks, start, stop)
                    made[target] = chunk[source]
        except StoreUnreachable:
            raise
        except (OSError, OverflowError, RuntimeError, ValueError, _NotHere):
            return None
        return made

    def _chunks(
        self, file: tuple[int, ...], start: Sequence[int], stop: Sequence[int]
    ) -> Iterator[tuple[tuple[int, ...], npt.NDArray[Any]]]:
        """The chunks of a file that the window ``start..stop`` touches, and their places."""
        if isinstance(self.folder, Remote):
            yield from self._chunks_behind(self.folder, file, start, stop)
            return
        with (self.folder / self.key(file)).open("rb", buffering=0) as stream:
            size = os.fstat(stream.fileno()).st_size
            if self.shards is None:
                yield file, self._pixels(_stored(stream, 0, size))
                return
            tail = _index_bytes(self._counts)
            index = _shard_index(_stored(stream, size - tail, tail).tobytes(), self._counts)
            for cell, first, end in self._places(index, file, start, stop):
                if end > size:
                    raise _NotHere
                yield cell, self._pixels(_stored(stream, first, end - first))

    def _chunks_behind(
        self, folder: Remote, file: tuple[int, ...], start: Sequence[int], stop: Sequence[int]
    ) -> Iterator[tuple[tuple[int, ...], npt.NDArray[Any]]]:
        """The same behind a URL."""
        objects, key = folder.objects, self.key(file)
        if self.shards is None:
            whole = objects.read(key)
            if whole is None:
                raise _NotHere
            yield file, self._pixels(np.frombuffer(whole, np.uint8))
            return
        index = self._indexes.get(key)
        if index is None:
            stored = objects.read_end(key, _index_bytes(self._counts))
            if stored is None:
                raise _NotHere
            if len(self._indexes) >= _KEPT_INDEXES:
                self._indexes.clear()
            index = self._indexes[key] = _shard_index(stored, self._counts)
        places = list(self._places(index, file, start, stop))
        parts = objects.read_parts(key, [(first, end) for _, first, end in places])
        for (cell, _, _), part in zip(places, parts, strict=True):
            yield cell, self._pixels(np.frombuffer(part, np.uint8))

    @property
    def _counts(self) -> list[int]:
        """Chunks of a shard along each axis."""
        assert self.shards is not None  # asked for only where there are any
        return [shard // chunk for shard, chunk in zip(self.shards, self.chunks, strict=True)]

    def _places(
        self,
        index: npt.NDArray[np.uint64],
        file: tuple[int, ...],
        start: Sequence[int],
        stop: Sequence[int],
    ) -> Iterator[tuple[tuple[int, ...], int, int]]:
        """The chunks of a shard that a window touches, with their first byte and their end."""
        assert self.shards is not None  # as above
        first = [n * size for n, size in zip(file, self.shards, strict=True)]
        low = [max(a, n) for a, n in zip(start, first, strict=True)]
        high = [min(b, n + m) for b, n, m in zip(stop, first, self.shards, strict=True)]
        counts = self._counts
        for cell in _cells(low, high, self.chunks):
            within = tuple(n % count for n, count in zip(cell, counts, strict=True))
            offset, length = (int(n) for n in index[within])
            if offset == _MISSING:
                raise _NotHere
            yield cell, offset, offset + length

    def _pixels(self, stored: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """The chunk of these bytes, until the next one of this thread is read."""
        pixels = stored
        if self.compressed:
            room = _scratch("pixels", prod(self.chunks) * self.dtype.itemsize)
            # Cut to what was decoded; a checksum in the frame is compared.
            pixels = _decompress(stored, out=room)
        return pixels.view(self.dtype).reshape(self.chunks)


def direct_reader(array: zarr.Array[Any]) -> DirectReader | None:
    """What reads the windows of an array without Zarr's pipeline, or None where nothing does."""
    metadata, store = array.metadata, array.store
    if not isinstance(metadata, ArrayV3Metadata):
        return None
    # A subclass of a store may change what is read.
    if type(store) is LocalStore:
        folder: Location = store.root / array.path
    elif type(store) is RemoteStore:
        folder = store.remote / array.path if array.path else store.remote
    else:
        return None
    codecs: Sequence[Codec] = metadata.codecs
    shards = None
    if len(codecs) == 1 and isinstance(codecs[0], ShardingCodec):
        shards = array.shards
        if not _common_index(codecs[0]):
            return None
        codecs = codecs[0].codecs
    dtype = np.dtype(array.dtype)
    if not _common(codecs, dtype):
        return None
    return DirectReader(
        folder,
        metadata.encode_chunk_key,
        dtype,
        array.chunks,
        shards,
        len(codecs) == 2,
    )


def _scratch(name: str, size: int) -> npt.NDArray[np.uint8]:
    """Bytes of this thread, used again: fresh memory for every chunk costs a third of decoding."""
    if size > _KEPT_BYTES:
        return np.empty(size, np.uint8)
    kept = getattr(_thread, name, None)
    if kept is None or kept.size < size:
        kept = np.empty(size, np.uint8)
        setattr(_thread, name, kept)
    return cast(npt.NDArray[np.uint8], kept[:size])


def _common(codecs: Sequence[Codec], dtype: np.dtype[Any]) -> bool:
    """Whether chunks are plain numbers in the order of this machine, or those under zstd."""
    if [type(c) for c in codecs] not in ([BytesCodec], [BytesCodec, ZstdCodec]):
        return False
    if dtype.kind not in "uif" or not dtype.isnative:
        return False
    return dtype.itemsize == 1 or _is_little(codecs[0])


def _is_little(codec: Codec) -> bool:
    return (
        isinstance(codec, BytesCodec) and getattr(codec.endian, "value", codec.endian) == "little"
    )


def _common_index(codec: ShardingCodec) -> bool:
    """Whether the index of shards stands at their end, little-endian, with a checksum."""
    kinds = [type(c) for c in codec.index_codecs]
    return (
        kinds == [BytesCodec, Crc32cCodec]
        and _is_little(codec.index_codecs[0])
        and codec.index_location.value == "end"
    )


def _stored(stream: FileIO, offset: int, length: int) -> npt.NDArray[np.uint8]:
    """So many bytes of a file, until the next ones of this thread are read."""
    if offset < 0:
        raise _NotHere
    stream.seek(offset)
    stored = _scratch("stored", length)
    if stream.readinto(stored.data) != length:
        raise _NotHere
    return stored


def _index_bytes(counts: Sequence[int]) -> int:
    return 16 * prod(counts) + _CRC_BYTES


def _shard_index(stored: bytes, counts: Sequence[int]) -> npt.NDArray[np.uint64]:
    """Offset and length of every chunk of a shard: (*counts, 2)."""
    if len(stored) != _index_bytes(counts):
        raise _NotHere
    if google_crc32c.value(stored[:-_CRC_BYTES]) != int.from_bytes(stored[-_CRC_BYTES:], "little"):
        raise _NotHere
    return np.frombuffer(stored[:-_CRC_BYTES], "<u8").reshape(*counts, 2)


def _cells(
    start: Sequence[int], stop: Sequence[int], size: Sequence[int]
) -> Iterator[tuple[int, ...]]:
    """Places, in a grid of cells of that size, of all that the window touches."""
    return product(*(range(a // n, -(-b // n)) for a, b, n in zip(start, stop, size, strict=True)))


def _overlap(
    cell: Sequence[int], size: Sequence[int], start: Sequence[int], stop: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where a cell and the window meet: in the cell, and in the window."""
    source, target = [], []
    for place, n, a, b in zip(cell, size, start, stop, strict=True):
        low, high = max(a, place * n), min(b, (place + 1) * n)
        source.append(slice(low - place * n, high - place * n))
        target.append(slice(low - a, high - a))
    return tuple(source), tuple(target)
