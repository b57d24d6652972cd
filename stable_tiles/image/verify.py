"""Verify a store: read every chunk and name those that are broken or missing.

A missing chunk reads as the fill value without an error.  Such a chunk is told
from one that was written by reading it again as if the fill value were
another: only what is missing changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zarr
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.errors import BaseZarrError
from zarr.storage import WrapperStore

from stable_tiles.errors import first_line
from stable_tiles.image.store import Image
from stable_tiles.progress import Progress, silent
from stable_tiles.region import Region


@dataclass(frozen=True)
class Fault:
    """A chunk that cannot be trusted.

    Parameters
    ----------
    level : str
        Path of its level.
    start : tuple of int
        First pixel of the chunk, in the store's own axes.
    kind : "broken" or "missing"
        Whether reading it failed, or it is not there.
    reason : str
        What reading it said.
    """

    level: str
    start: tuple[int, ...]
    kind: Literal["broken", "missing"]
    reason: str


def verify(image: Image, progress: Progress = silent) -> list[Fault]:
    """Read every chunk of every level.

    Returns
    -------
    list of Fault
        In the order of levels and chunks; empty where all is well.
    """
    faults: list[Fault] = []
    for path, level in zip(image.multiscale.paths, image.levels, strict=True):
        array = level.array
        refilled = refill(image, path)
        cells = list(Region.whole(array.shape).divide(array.shards or array.chunks))
        for done, cell in enumerate(cells, 1):
            faults += _faults_of(path, array, refilled, cell)
            progress(f"shards of level {path}", done, len(cells))
    return faults


def _faults_of(
    path: str, array: zarr.Array[Any], refilled: zarr.Array[Any], cell: Region
) -> Iterator[Fault]:
    block = _read(array, cell)
    if isinstance(block, np.ndarray) and not np.any(block == array.fill_value):
        return
    for chunk in cell.divide(array.chunks):
        block = _read(array, chunk)
        if isinstance(block, str):
            yield Fault(path, chunk.start, "broken", block)
        elif np.all(block == array.fill_value) and not np.array_equal(
            block, _read(refilled, chunk)
        ):
            yield Fault(path, chunk.start, "missing", "the chunk was never written, or is lost")


def _read(array: zarr.Array[Any], cell: Region) -> npt.NDArray[Any] | str:
    """The pixels, or what reading them said."""
    try:
        return np.asarray(array[cell.slices])
    except (OSError, ValueError, RuntimeError, BaseZarrError) as error:
        return first_line(error)


class _Refilled(WrapperStore[Any]):
    """A store whose arrays claim another fill value."""

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: Any = None
    ) -> Buffer | None:
        """The value of a key, with the fill value of metadata replaced."""
        value = await super().get(key, prototype, byte_range)
        if value is None or not key.endswith(("zarr.json", ".zarray")):
            return value
        metadata = json.loads(value.to_bytes())
        if "fill_value" in metadata:
            metadata["fill_value"] = 0 if metadata["fill_value"] == 1 else 1
        return prototype.buffer.from_bytes(json.dumps(metadata).encode())


def refill(image: Image, path: str) -> zarr.Array[Any]:
    """The level of that path as it reads with another fill value: only missing chunks differ."""
    store = image.levels[0].array.store
    prefix = image.levels[0].array.path.removesuffix(image.multiscale.paths[0])
    return zarr.open_array(_Refilled(store), path=prefix + path, mode="r")
