"""Window: some pixels of one array, by whichever way is the shortest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.buffer.cpu import NDBuffer

from stable_tiles.image.direct import DirectReader


def read_window(
    array: zarr.Array[Any],
    reader: DirectReader | None,
    index: Sequence[slice],
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Pixels of a window of an array, along its own axes.

    Parameters
    ----------
    array : zarr.Array
        Where they are stored.
    reader : DirectReader or None
        Reads the array without Zarr's pipeline; where it cannot, and where it
        is None, Zarr does.
    index : sequence of slice
        One for each axis.
    out : array, optional
        Where they are put; a new array by default.
    """
    if reader is not None:
        bounds = (part.indices(size) for part, size in zip(index, array.shape, strict=True))
        block = reader.read([slice(start, stop) for start, stop, _ in bounds])
        if block is not None:
            if out is None:
                return block
            out[...] = block
            return out
    selection: Any = tuple(index)
    if out is None:
        return np.asarray(array[selection])
    array.get_basic_selection(selection, out=NDBuffer.from_numpy_array(out))
    return out
