"""Split: which part of which store belongs to which domain, decided before a pixel is read.

This module is the only one that knows how pairs are divided.  Several pairs
are dealt out whole, subjects to domains; a single pair is cut across its
longer side into halves with a guard band between them::

    x                0 ........................ W
    domain A         [==========]
    guard band                   ....
    domain B                         [==========]

Guarantee: no pixel that a patch of A is computed from shows what a pixel
shows that a patch of B is computed from, whatever levels, pixel sizes and
planes they are read at.  A pixel of a level counts with everything that it
averages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil, floor
from typing import Any, Literal

from stable_tiles.errors import InputError
from stable_tiles.image.store import Image
from stable_tiles.region import Region
from stable_tiles.train.scale import Pair, Sampling, pixel_sizes_um

SplitKind = Literal["whole stores", "pairs dealt out", "halves of a pair"]

OWN_REACH = 1
"""Pixels of the level read that the guard band takes from each half, at the least.

One is enough for levels made by averaging blocks: it makes up for a pair
whose sizes agree only to a pixel.
"""

FOREIGN_REACH = 4
"""The same for coarse levels of other tools, which may have smoothed before they decimated."""


@dataclass(frozen=True)
class Part:
    """What of a store belongs to a domain; ranges are half open, in pixels of level 0.

    Parameters
    ----------
    store : str
        The store's name.
    y, x : (int, int)
        First row and column, and those behind the last.
    planes : (int, int)
        The same for planes, counted through t and z (z fastest).
    level : int
        The level that patches are read from.
    """

    store: str
    y: tuple[int, int]
    x: tuple[int, int]
    planes: tuple[int, int]
    level: int

    def __post_init__(self) -> None:
        if any(not 0 <= a < b for a, b in (self.y, self.x, self.planes)):
            raise ValueError(f"{self} holds no pixel")


@dataclass(frozen=True)
class Split:
    """Every store of a training and what of it belongs to which domain.

    Parameters
    ----------
    kind : SplitKind
        How it was made.
    a, b : tuple of Part
        What patches of the source and of the target domain are read from.
    validation_a, validation_b : tuple of Part
        The same for held-out images.
    """

    kind: SplitKind
    a: tuple[Part, ...]
    b: tuple[Part, ...]
    validation_a: tuple[Part, ...] = ()
    validation_b: tuple[Part, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The split as JSON holds it: ranges as lists of two."""
        document = asdict(self)
        for domain, parts in document.items():
            if domain != "kind":
                document[domain] = [
                    {key: list(v) if isinstance(v, tuple) else v for key, v in part.items()}
                    for part in parts
                ]
        return document


def whole(image: Image) -> Region:
    """All of an image's plane, over (y, x) in pixels of level 0."""
    return Region.whole(image.shape[-2:])


def part_of(image: Image, window: Region, sampling: Sampling) -> Part:
    """The part of an image that patches are read from: `window` in whole pixels of their level."""
    ranges = level_ranges(image, window, sampling)
    y, x = (
        (floor(first * f + _HAIR), min(size, ceil(stop * f - _HAIR)))
        for (first, stop), f, size in zip(ranges, sampling.factor, image.shape[-2:], strict=True)
    )
    planes = (0, image.shape[0] * image.shape[2])
    return Part(image.name, y, x, planes, sampling.level)


def level_ranges(
    image: Image, window: Region, sampling: Sampling
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The rows and columns of the level read that lie wholly in a window of level 0."""
    shape = image.levels[sampling.level].shape[-2:]
    y, x = (
        (ceil(a / f - _HAIR), n if b == size else min(n, floor(b / f + _HAIR)))
        for a, b, f, n, size in zip(
            window.start, window.stop, sampling.factor, shape, image.shape[-2:], strict=True
        )
    )
    return y, x


def halves(
    pair: tuple[Image, Image], samplings: tuple[Sampling, Sampling]
) -> tuple[Region, Region]:
    """The windows of a pair's two images, over (y, x) in pixels of level 0.

    The cut runs through the middle of the longer side (x where they are
    equal); the source's image keeps the near half.

    Raises
    ------
    InputError
        If the two do not show the same scene: their sizes differ, in pixels
        and in micrometres.
    """
    _check_same_scene(*pair)
    axis = 0 if pair[0].shape[-2] > pair[0].shape[-1] else 1
    near, far = (
        _guard(image, sampling)[axis] for image, sampling in zip(pair, samplings, strict=True)
    )
    sizes = [image.shape[-2:][axis] for image in pair]
    return (
        _cut(pair[0], axis, 0, max(1, floor(sizes[0] / 2 - near))),
        _cut(pair[1], axis, min(sizes[1] - 1, ceil(sizes[1] / 2 + far)), sizes[1]),
    )


_HAIR = 1e-6


def _guard(image: Image, sampling: Sampling) -> Pair:
    """What the guard band takes from a half, in pixels of level 0, along y and x."""
    foreign = sampling.level > 0 and not image.attributes.get("version")
    reach = FOREIGN_REACH if foreign else OWN_REACH
    return reach * sampling.factor[0], reach * sampling.factor[1]


def _cut(image: Image, axis: int, first: int, stop: int) -> Region:
    start, end = [0, 0], list(image.shape[-2:])
    start[axis], end[axis] = first, stop
    return Region(tuple(start), tuple(end))


def _check_same_scene(a: Image, b: Image) -> None:
    sizes = [pixel_sizes_um(image) for image in (a, b)]
    shapes = [image.shape[-2:] for image in (a, b)]
    if sizes[0] is None or sizes[1] is None:
        extents: list[Sequence[float]] = [*shapes]
        tolerance, unit = (0.0, 0.0), "pixels"
    else:
        extents = [
            [n * um for n, um in zip(shape, size, strict=True)]
            for shape, size in zip(shapes, (sizes[0], sizes[1]), strict=True)
        ]
        tolerance, unit = (max(sizes[0][0], sizes[1][0]), max(sizes[0][1], sizes[1][1])), "um"
    if any(abs(m - n) > t * 1.01 for m, n, t in zip(*extents, tolerance, strict=True)):
        ours, theirs = (f"{m[0]:g} x {m[1]:g}" for m in extents)
        raise InputError(
            f"--split needs pairs of the same scene: {a.name} shows {ours} {unit} and {b.name} "
            f"{theirs}: give images of one extent, or correct their pixel sizes"
        )
