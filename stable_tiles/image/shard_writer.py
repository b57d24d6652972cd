"""Shards of Zarr v3 arrays, written whole, chunk by chunk in the caller's thread.

Zarr's own pipeline passes every chunk through an event loop and a pool of
threads and assembles a shard in memory, which costs half as much again as
encoding it.  A shard that belongs to one writer needs neither.  Layout:
https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt

from stable_tiles.image.layout import Level, Shape5
from stable_tiles.image.spec import ImageSpec
from stable_tiles.region import Region
from stable_tiles.remote.location import Location, Remote

Encoder = Callable[[npt.NDArray[Any]], bytes]

_MISSING = 2**64 - 1


@dataclass(frozen=True)
class ShardWriter:
    """Writes shards of the levels of one store.

    Safe to use from several threads, and from several processes.

    Parameters
    ----------
    store : Path or Remote
        The store's folder.
    spec : ImageSpec
        What it was created with.
    encode : callable
        From the pixels of a chunk to its bytes.
    """

    store: Location
    spec: ImageSpec
    encode: Encoder

    def write(self, number: int, region: Region, block: npt.NDArray[Any]) -> None:
        """Write all shards of a region of a level, each from nothing.

        Parameters
        ----------
        number : int
            Of the level.
        region : Region
            Whole shards, over (t, z, y, x).
        block : array, (t, c, z, y, x)
            Its pixels.

        Raises
        ------
        ValueError
            If the region would write a part of a shard.
        """
        level = self.spec.layout.levels[number]
        assert level.shards is not None  # `shard_writer` gives none without
        start: Shape5 = (region.start[0], 0, *region.start[1:])  # type: ignore[assignment]  # t z y x
        if any(n % side for n, side in zip(start, level.shards, strict=True)):
            raise ValueError(f"{region} does not begin with a shard of level {number}")
        for cell in Region.whole(block.shape).divide(level.shards):
            place = [
                (n + a) // side for n, a, side in zip(start, cell.start, level.shards, strict=True)
            ]
            name = "/".join([str(number), "c", *map(str, self.spec.axes.project(place))])
            _write(self.store, name, self._pieces(level, block[cell.slices]))

    def _pieces(self, level: Level, block: npt.NDArray[Any]) -> Iterator[bytes]:
        """One shard: its chunks, then the offset and size of each, with a checksum."""
        assert level.shards is not None  # as above
        counts = [shard // chunk for shard, chunk in zip(level.shards, level.chunks, strict=True)]
        index = np.full((*counts, 2), _MISSING, "<u8")
        offset = 0
        for cell, pixels in _chunks(block, level.chunks):
            encoded = self.encode(pixels)
            yield encoded
            index[cell] = offset, len(encoded)
            offset += len(encoded)
        stored = index.tobytes()
        yield stored + google_crc32c.value(stored).to_bytes(4, "little")


def _write(store: Location, name: str, pieces: Iterable[bytes]) -> None:
    """A file that appears whole: an object, or piece by piece under another name before."""
    if isinstance(store, Remote):
        store.objects.write(name, b"".join(pieces))
        return
    path = store / name
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            file.writelines(pieces)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def shard_writer(store: Location, spec: ImageSpec) -> ShardWriter | None:
    """What writes the shards of a store, or None where Zarr has to write it."""
    encode = spec.codec.encoder()
    if spec.ngff != "0.5" or not all(level.shards for level in spec.layout.levels) or not encode:
        return None
    return ShardWriter(store, spec, encode)


def _chunks(
    block: npt.NDArray[Any], chunks: Shape5
) -> Iterator[tuple[tuple[int, ...], npt.NDArray[Any]]]:
    """The chunks of a block and their places; those at an edge are filled up with zeros."""
    little = block.dtype.newbyteorder("<")
    counts = [range(-(-n // side)) for n, side in zip(block.shape, chunks, strict=True)]
    for cell in product(*counts):
        corner = [n * side for n, side in zip(cell, chunks, strict=True)]
        part = block[tuple(slice(a, a + n) for a, n in zip(corner, chunks, strict=True))]
        if part.shape == chunks:
            yield cell, np.ascontiguousarray(part, little)
            continue
        whole = np.zeros(chunks, little)
        whole[tuple(map(slice, part.shape))] = part
        yield cell, whole
