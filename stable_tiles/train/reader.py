"""Reading blocks of pixels that can be trained on; anything else is an error with its position.

A chunk that is missing reads as the fill value without an error.  Stores that
this package wrote hold every chunk, so there a missing one is a fault; in
stores of other tools it is how empty space is stored, and stays allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import StoreUnreachable, WorkFailed, first_line
from stable_tiles.image.direct import direct_reader
from stable_tiles.image.store import Image, Level
from stable_tiles.image.verify import refill
from stable_tiles.region import Region
from stable_tiles.train.faults import BadPixels, Fault

Pixels = npt.NDArray[Any]
Plane = tuple[int, int]


class BlockReader:
    """Reads windows of one level of an image.

    Parameters
    ----------
    image : Image
    level : int
    channels : sequence of int, optional
        Channels to read; all by default.
    """

    def __init__(self, image: Image, level: int, channels: Sequence[int] | None = None) -> None:
        self._image = image
        self._level = level
        self._channels = channels
        array = image.levels[level].array
        self.chunk: tuple[int, int] = array.chunks[-2], array.chunks[-1]
        self._direct = direct_reader(array)
        self._fill = 0 if array.fill_value is None else array.fill_value
        self._complete = "version" in image.attributes

    def read(self, plane: Plane, window: Region) -> Pixels:
        """The pixels of a window.

        Parameters
        ----------
        plane : (int, int)
            t and z.
        window : Region
            Over (y, x), in pixels of the level.

        Returns
        -------
        ndarray of the store's dtype, shape (c, y, x)

        Raises
        ------
        BadPixels
            If a chunk is broken, or missing where none may be, or a pixel is
            NaN or infinite; names the store and the position.
        """
        try:
            pixels = self._read_direct(plane, window)
            if pixels is None:
                pixels = self._pixels(self._image, plane, window)
        except (WorkFailed, StoreUnreachable) as error:
            raise self._broken(plane, window, error) from error
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            first = np.argwhere(~np.isfinite(pixels))[0]
            raise self._bad(plane, window, first, "holds NaN or infinity")
        if self._complete and self._seems_missing(pixels, window):
            other = self._pixels(self._refilled, plane, window)
            changed = np.argwhere(other != pixels)
            if len(changed):
                raise self._bad(plane, window, changed[0], "the chunk is missing")
        return pixels

    @cached_property
    def _refilled(self) -> Image:
        level = self._image.levels[self._level]
        array = refill(self._image, self._image.multiscale.paths[self._level])
        levels = list(self._image.levels)
        levels[self._level] = Level(array, level.shape)
        return replace(self._image, levels=tuple(levels))

    def _read_direct(self, plane: Plane, window: Region) -> Pixels | None:
        """The pixels, where no more than decoding is needed to have them."""
        count = self._image.shape[1]
        wanted = list(range(count) if self._channels is None else self._channels)
        run = slice(wanted[0], wanted[-1] + 1)
        if self._direct is None or wanted != list(range(run.start, run.stop)):
            return None
        t, z = plane
        index = (slice(t, t + 1), run, slice(z, z + 1), *window.slices)
        pixels = self._direct.read(self._image.axes.project(index))
        return None if pixels is None else pixels.reshape(len(wanted), *window.shape)

    def _pixels(self, image: Image, plane: Plane, window: Region) -> Pixels:
        t, z = plane
        region = Region((t, z, *window.start), (t + 1, z + 1, *window.stop))
        pixels: Pixels = image.read(region, self._level, self._channels)[0, :, 0]
        return pixels

    def _seems_missing(self, pixels: Pixels, window: Region) -> bool:
        """Whether some chunk's channel shows nothing but the fill value."""
        for cell in window.divide(self.chunk):
            rows, columns = cell.relative_to(window.start).slices
            for channel in pixels:
                piece = channel[rows, columns]
                if piece[0, 0] == self._fill and (piece == self._fill).all():
                    return True
        return False

    def _broken(self, plane: Plane, window: Region, error: Exception) -> BadPixels:
        """The error of the first chunk that cannot be read."""
        at, cause = window.start, error.__cause__
        for cell in window.divide(self.chunk):
            try:
                self._pixels(self._image, plane, cell)
            except (WorkFailed, StoreUnreachable) as again:
                at, cause = cell.start, again.__cause__
                break
        reason = f"cannot be read ({first_line(cause or error)})"
        return BadPixels(self._fault(plane, (at[0], at[1]), reason))

    def _bad(self, plane: Plane, window: Region, pixel: Pixels, reason: str) -> BadPixels:
        y, x = (int(i) + start for i, start in zip(pixel[1:], window.start, strict=True))
        return BadPixels(self._fault(plane, (y, x), reason))

    def _fault(self, plane: Plane, pixel: tuple[int, int], reason: str) -> Fault:
        return Fault(self._image.name, reason, self._level, (*plane, *pixel))
