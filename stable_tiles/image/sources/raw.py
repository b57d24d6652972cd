"""RawPlanes: boxes of planes that lie in a file as plain pixels.

Only the rows and columns asked for are read, by positioned reads that threads
can share; nothing is mapped, so memory stays what the box needs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import WorkFailed


@dataclass(frozen=True)
class RawPlanes:
    """Planes that follow one another from an offset of a file.

    Parameters
    ----------
    name : str
        Name of the file, for errors.
    file : int
        Descriptor of the open file.
    offset : int
        Where the first plane starts, bytes.
    shape : tuple of int
        Rows, columns and interleaved samples of a plane.
    dtype : numpy dtype
        Dtype with the byte order of the file.
    """

    name: str
    file: int
    offset: int
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    @property
    def plane_bytes(self) -> int:
        """Bytes from one plane to the next."""
        return prod(self.shape) * self.dtype.itemsize

    def box(
        self,
        plane: int,
        rows: slice,
        columns: slice,
        out: npt.NDArray[Any] | None = None,
    ) -> npt.NDArray[Any]:
        """Pixels of a box of one plane.

        Parameters
        ----------
        plane : int
            Counted from the first one.
        rows, columns : slice
            Half-open, inside the plane.
        out : array, (rows, columns, samples), optional
            Where to put them.

        Returns
        -------
        array, (rows, columns, samples)
            In the native byte order.

        Raises
        ------
        WorkFailed
            If the file ends before the box does.
        """
        _, width, samples = self.shape
        pixel = samples * self.dtype.itemsize
        start = self.offset + plane * self.plane_bytes
        high, wide = rows.stop - rows.start, columns.stop - columns.start
        shape = (high, wide, samples)
        fits = out is not None and out.dtype == self.dtype and out.flags.c_contiguous
        box = out if out is not None and fits else np.empty(shape, self.dtype)
        view = box.reshape(-1).view(np.uint8).data
        if wide == width:
            self._fill(view, start + rows.start * width * pixel)
        else:
            for row in range(high):
                at = start + ((rows.start + row) * width + columns.start) * pixel
                self._fill(view[row * wide * pixel : (row + 1) * wide * pixel], at)
        if out is None:
            return box.astype(self.dtype.newbyteorder("="), copy=False)
        if box is not out:
            out[...] = box
        return out

    def _fill(self, view: memoryview, offset: int) -> None:
        done = 0
        while done < len(view):
            got = os.preadv(self.file, [view[done:]], offset + done)
            if got == 0:
                raise WorkFailed(f"{self.name} ends before its pixels do: the file is truncated")
            done += got


def read_at(file: int, count: int, offset: int) -> bytes:
    """Up to `count` bytes from an offset of a file, fewer only where it ends."""
    parts = []
    while count > 0:
        part = os.pread(file, count, offset)
        if not part:
            break
        parts.append(part)
        offset, count = offset + len(part), count - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
