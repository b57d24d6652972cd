"""Window: some pixels of one array, by whichever way is the shortest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import zarr
from zarr.buffer.cpu import NDBuffer

from stable_tiles.image.direct import DirectReader


def read_window(
    array: zarr.Array[Any],
    reader: DirectReader | None,
    index: Sequence[slice],
    out: npt.NDArray[Any],
) -> None:
    """Put the pixels of a window of an array where the caller wants them.

    Parameters
    ----------
    array : zarr.Array
        Where they are stored.
    reader : DirectReader or None
        Reads the array without Zarr's pipeline; where it cannot, and where it
        is None, Zarr does.
    index : sequence of slice
        One for each axis of the array.
    out : array
        Of the window's shape and the array's dtype.
    """
    if reader is not None:
        bounds = (part.indices(size) for part, size in zip(index, array.shape, strict=True))
        if reader.read([slice(start, stop) for start, stop, _ in bounds], out) is not None:
            return
    selection: Any = tuple(index)
    array.get_basic_selection(selection, out=NDBuffer.from_numpy_array(out))
