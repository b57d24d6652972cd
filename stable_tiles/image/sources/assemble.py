"""Sources made of sources: several files stacked along an axis, and a part of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stable_tiles.axes import Axes
from stable_tiles.errors import InputError
from stable_tiles.image.sources.nifti_header import cut_header
from stable_tiles.image.sources.source import Description, Pixels, Shape5, Source
from stable_tiles.region import Region


class StackSource:
    """Several files of one shape as one image, in the order given.

    A file is open only while it is read, so their number is not bounded.

    Parameters
    ----------
    paths : sequence of Path
        The files.
    axis : "t" or "z"
        Axis along which they are stacked; each file has length 1 along it.
    opener : callable
        Opens one file.

    Raises
    ------
    InputError
        If the files differ in shape or dtype, or have that axis already.
    """

    def __init__(self, paths: Sequence[Path], axis: str, opener: Callable[[Path], Source]) -> None:
        self._paths, self._axis, self._opener = tuple(paths), axis, opener
        parts = [self._describe(path) for path in paths]
        first = parts[0]
        dimension = "tczyx".index(axis)
        if first.shape[dimension] != 1:
            raise InputError(f"{paths[0].name} has an axis {axis} already: stack along another")
        for path, part in zip(paths, parts, strict=True):
            if (part.shape, part.dtype, part.is_rgb) != (first.shape, first.dtype, first.is_rgb):
                raise InputError(
                    f"{path.name} is {_size(part)}, {paths[0].name} is {_size(first)}: "
                    "only files of one shape and dtype can be stacked"
                )
        shape = list(first.shape)
        shape[dimension] = len(paths)
        t, c, z, y, x = shape
        names = "".join(n for n in "tczyx" if n in first.axes.names or n == axis)
        self._description = replace(
            first,
            axes=Axes.named(names, first.axes.scale, first.axes.units),
            shape=(t, c, z, y, x),
            nifti=None,
            streamed=False,
            files=tuple(file for part in parts for file in part.files),
            bytes_in=sum(part.bytes_in for part in parts),
        )

    @property
    def description(self) -> Description:
        """What the stack holds."""
        return self._description

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x)."""
        where = "tzyx".index(self._axis)
        blocks = []
        for index in range(region.start[where], region.stop[where]):
            start, stop = list(region.start), list(region.stop)
            start[where], stop[where] = 0, 1
            source = self._opener(self._paths[index])
            try:
                blocks.append(source.read(Region(tuple(start), tuple(stop))))
            finally:
                source.close()
        return np.concatenate(blocks, axis="tczyx".index(self._axis))

    def associated(self) -> dict[str, Pixels]:
        """None: slides are not stacked."""
        return {}

    def close(self) -> None:
        """Nothing is held open."""

    def _describe(self, path: Path) -> Description:
        source = self._opener(path)
        try:
            return source.description
        finally:
            source.close()


class CroppedSource:
    """A part in y and x of another source.

    Parameters
    ----------
    source : Source
        The whole.
    part : Region
        The part, over (y, x).

    Raises
    ------
    InputError
        If the part does not lie inside the image.
    """

    def __init__(self, source: Source, part: Region) -> None:
        whole = source.description
        t, c, z, y, x = whole.shape
        if part.size == 0 or not Region.whole((y, x)).contains(part):
            (y0, x0), (y1, x1) = part.start, part.stop
            raise InputError(
                f"--region {y0}:{y1},{x0}:{x1} is not inside the image: it has y 0:{y} and x 0:{x}"
            )
        self._source, self._part = source, part
        shape: Shape5 = (t, c, z, *part.shape)  # type: ignore[assignment]  # part has y and x
        header = None if whole.nifti is None else cut_header(whole.nifti, part)
        self._description = replace(whole, shape=shape, nifti=header)

    @property
    def description(self) -> Description:
        """What the part holds."""
        return self._description

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x)."""
        return self._source.read(region.shifted((0, 0, *self._part.start)))

    def associated(self) -> dict[str, Pixels]:
        """Those of the whole."""
        return self._source.associated()

    def close(self) -> None:
        """Close the whole."""
        self._source.close()


def _size(part: Description) -> str:
    return f"{'x'.join(map(str, part.axes.project(part.shape)))} {part.dtype}"
