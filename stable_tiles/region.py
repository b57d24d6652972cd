"""Region: a half-open box of pixels in any number of dimensions, and its algebra.

Tiles are two-dimensional regions (y, x); what one task writes is a
four-dimensional one (t, z, y, x).  Nothing here knows about images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod


@dataclass(frozen=True, order=True)
class Region:
    """A half-open box ``start <= index < stop`` along every dimension.

    Parameters
    ----------
    start, stop : tuple of int
        Corners in pixels, of equal length, with ``0 <= start <= stop``.

    Raises
    ------
    ValueError
        If the corners differ in length, are negative, or are out of order.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.start) != len(self.stop):
            raise ValueError(f"corners {self.start} and {self.stop} differ in length")
        if any(not 0 <= a <= b for a, b in zip(self.start, self.stop, strict=True)):
            raise ValueError(f"no box has the corners {self.start} and {self.stop}")

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Region:
        """The region that covers an array of this shape."""
        return cls((0,) * len(shape), tuple(shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent along every dimension, in pixels."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> int:
        """Number of pixels inside."""
        return prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        """The index that selects this region from an array."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def intersect(self, other: Region) -> Region | None:
        """The pixels in both, or None where they share none."""
        start = tuple(map(max, self.start, other.start))
        stop = tuple(map(min, self.stop, other.stop))
        if any(a >= b for a, b in zip(start, stop, strict=True)):
            return None
        return Region(start, stop)

    def contains(self, other: Region) -> bool:
        """Whether every pixel of `other` is inside."""
        return all(a <= b for a, b in zip(self.start, other.start, strict=True)) and all(
            a >= b for a, b in zip(self.stop, other.stop, strict=True)
        )

    def expand(self, margin: int, within: Region) -> Region:
        """Grown by `margin` pixels on every side, clipped to `within`."""
        start = tuple(max(a - margin, low) for a, low in zip(self.start, within.start, strict=True))
        stop = tuple(min(b + margin, top) for b, top in zip(self.stop, within.stop, strict=True))
        return Region(start, stop)

    def relative_to(self, origin: Sequence[int]) -> Region:
        """The same pixels counted from `origin`, which must not lie beyond `start`."""
        return Region(
            tuple(a - o for a, o in zip(self.start, origin, strict=True)),
            tuple(b - o for b, o in zip(self.stop, origin, strict=True)),
        )

    def shifted(self, offset: Sequence[int]) -> Region:
        """The region moved by `offset` pixels."""
        return self.relative_to([-o for o in offset])

    def divide(self, block: Sequence[int]) -> Iterator[Region]:
        """The cells of a grid of `block` counted from index 0 that cut this region.

        Cells come in row-major order, are clipped to the region, do not
        overlap, and together are the region.
        """
        starts = [
            range(a // step * step, b, step)
            for a, b, step in zip(self.start, self.stop, block, strict=True)
        ]
        for corner in product(*starts):
            cell = Region(corner, tuple(c + s for c, s in zip(corner, block, strict=True)))
            inside = self.intersect(cell)
            if inside is not None:
                yield inside
