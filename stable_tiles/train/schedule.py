"""Which patch comes when: a pure function of (seed, domain, index), with no state and no I/O.

This module is the only one that knows how patches are drawn.  Positions are
counted, not stored: every plane of every image has ``(height - side + 1) *
(width - side + 1)`` *anchors* (top-left corners of patches that lie wholly
inside), and one number names an anchor of the whole domain.

Reading a patch means decoding whole chunks, so patches come from *blocks*:
the anchors of a plane are cut into cells of whole chunks, and a block is the
window of pixels that the patches of one cell can touch.  Each block serves
`Schedule.reuse` patches: at most `REUSE`, and never so many that they would
show its pixels more than twice.  `MIXED` blocks are in use at any time, in
slots that take turns and are renewed one after the other::

    index   0 1 2 3 4 5 6 7 8 ...
    slot    0 1 2 3 0 1 2 3 0 ...      (drawn for 4 slots and a reuse of 2)
    block   a b c d a b e f g ...      slot 0 is renewed at 8, slot 2 at 6

Guarantee: a cell is drawn with a probability proportional to its number of
anchors and a patch uniformly among them, so the position of *every* patch of
the sequence is uniform over all anchors of the domain, borders included.
Patches of one block are dependent on each other through their common cell;
neighbours in the sequence come from different draws of blocks.

A share of the blocks may be drawn from the foreground: then positions are
drawn again, up to `TRIES` times, until a patch's centre shows something, for
the block as for each of its patches.  The rest stays uniform.

Where a block cannot be used, `Schedule.cut` of a further *attempt* draws
another block in its place, for all of its patches, and again uniformly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, islice
from math import prod

import numpy as np

from stable_tiles.train.philox import words

REUSE = 8
"""Patches that a decoded block serves at most."""

MIXED = 16
"""Blocks that patches are mixed from at any time, where memory allows."""

TRIES = 256
"""Draws after which a patch of the foreground is taken wherever it is."""

_BLOCK, _PATCH = 0, 1

Shows = Callable[[int, int, float, float], bool]
"""Whether an image, a plane of it, at (y, x), shows something."""


_Place = tuple[int, int, tuple[int, int]]
"""An image, a plane of it, and the origin (y, x) of a patch there."""


def everywhere(image: int, plane: int, y: float, x: float) -> bool:
    """Anything counts as foreground."""
    return True


@dataclass(frozen=True)
class Field:
    """All planes of one image, as places to cut patches from.

    Parameters
    ----------
    planes : int
        Number of planes (t times z).
    shape : (int, int)
        Height and width of each plane in pixels.
    patch : (int, int)
        Height and width of a patch in this image's own pixels.
    cell : (int, int)
        Height and width of a cell of anchors in pixels: multiples of the chunk's.

    Raises
    ------
    ValueError
        If a patch does not fit into the plane.
    """

    planes: int
    shape: tuple[int, int]
    patch: tuple[int, int]
    cell: tuple[int, int]

    def __post_init__(self) -> None:
        if not all(0 < n <= size for n, size in zip(self.patch, self.shape, strict=True)):
            raise ValueError(f"patches of {_by(self.patch)} px do not fit {_by(self.shape)}")

    @cached_property
    def anchors(self) -> tuple[int, int]:
        """Numbers of valid patch origins along y and x."""
        return self.shape[0] - self.patch[0] + 1, self.shape[1] - self.patch[1] + 1

    @property
    def positions(self) -> int:
        """Number of different patches in all planes."""
        return self.planes * prod(self.anchors)

    @property
    def largest_block(self) -> int:
        """Pixels of the largest block."""
        return prod(
            min(cell, n) + side - 1
            for cell, n, side in zip(self.cell, self.anchors, self.patch, strict=True)
        )


@dataclass(frozen=True, order=True)
class Block:
    """A window of one plane that is read once: ``start <= (y, x) < stop``.

    `image` counts the images of the domain, `plane` the planes of the image
    (t major, z minor).
    """

    image: int
    plane: int
    start: tuple[int, int]
    stop: tuple[int, int]


@dataclass(frozen=True)
class Cut:
    """One patch: a window of a block, and how it is turned.

    Parameters
    ----------
    block : Block
        The window that holds the patch.
    origin : tuple of int
        The patch's first pixel (y, x) in the plane.
    shape : tuple of int
        Height and width in the image's own pixels.
    orientation : int
        0..7: quarter turns (value modulo 4), then a mirror of x from 4 on.
    """

    block: Block
    origin: tuple[int, int]
    shape: tuple[int, int]
    orientation: int


@dataclass(frozen=True)
class Schedule:
    """The endless sequence of patches of one domain.

    Parameters
    ----------
    fields : tuple of Field
        The domain's images.
    seed : int
        The run's seed.
    stream : int
        Tells domains apart: different streams share no random numbers.
    augment : bool
        Whether patches are turned and mirrored (all eight orientations alike).
    mixed : int
        Blocks in use at any time.
    foreground : float
        Share of the blocks drawn from the foreground, 0..1.
    shows : callable
        What is foreground.
    """

    fields: tuple[Field, ...]
    seed: int
    stream: int
    augment: bool
    mixed: int = MIXED
    foreground: float = 0.0
    shows: Shows = everywhere

    @cached_property
    def reuse(self) -> int:
        """Patches that each block serves, 1 to `REUSE`.

        One less than twice those that fit into it side by side: a block as
        large as a patch serves one.  Blocks count as often as they are drawn,
        so that a small image does not hold a large one back.
        """
        fitting = sum(f.positions * f.largest_block / prod(f.patch) for f in self.fields)
        return min(REUSE, max(1, int(2 * fitting / self._ends[-1]) - 1))

    def cut(self, index: int, attempt: int = 0) -> Cut:
        """The patch number `index` (from 0), whatever was asked for before.

        Parameters
        ----------
        index : int
            Which patch.
        attempt : int
            How many blocks were refused in its place; each attempt draws another.
        """
        turn, slot = divmod(index, self.mixed)
        renewals = (turn + slot * self.reuse // self.mixed) // self.reuse
        block, selective = self._block(renewals * self.mixed + slot, attempt)
        field = self.fields[block.image]
        draws = self._draws(_PATCH, index, attempt)
        turned = next(draws)
        origin = self._first(
            (block.image, block.plane, _within(field, block, (next(draws), next(draws))))
            for _ in range(TRIES if selective else 1)
        )[2]
        return Cut(block, origin, field.patch, int(turned * 8) if self.augment else 0)

    @cached_property
    def _block(self) -> Callable[[int, int], tuple[Block, bool]]:
        """The block of a number and attempt, and whether it was drawn from the foreground."""
        return lru_cache(maxsize=4 * self.mixed)(self._draw_block)

    def _draw_block(self, number: int, attempt: int) -> tuple[Block, bool]:
        draws = self._draws(_BLOCK, number, attempt)
        selective = next(draws) < self.foreground
        tried = islice(draws, TRIES if selective else 1)
        image, plane, anchor = self._first(map(self._locate, tried))
        field = self.fields[image]
        starts, stops = [], []
        for a, cell, count, side in zip(
            anchor, field.cell, field.anchors, field.patch, strict=True
        ):
            starts.append(a // cell * cell)
            stops.append(min(starts[-1] + cell, count) + side - 1)
        return Block(image, plane, (starts[0], starts[1]), (stops[0], stops[1])), selective

    def _first(self, places: Iterable[_Place]) -> _Place:
        """The first place whose patch shows something at its centre, else the last."""
        for image, plane, origin in places:
            height, width = self.fields[image].patch
            chosen = image, plane, origin
            if self.shows(image, plane, origin[0] + height / 2, origin[1] + width / 2):
                break
        return chosen

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(field.positions for field in self.fields))

    def _locate(self, place: float) -> _Place:
        anchor = int(place * self._ends[-1])
        image = bisect_right(self._ends, anchor)
        field = self.fields[image]
        rows, columns = field.anchors
        plane, within = divmod(anchor - (self._ends[image] - field.positions), rows * columns)
        return image, plane, divmod(within, columns)

    def _draws(self, purpose: int, index: int, attempt: int) -> Iterator[float]:
        """Numbers in 0..1, 1 excluded, that depend on the arguments and the schedule alone."""
        return (
            (word >> 11) * 2.0**-53
            for word in words((self.seed, self.stream), (attempt, purpose, index))
        )


def _within(field: Field, block: Block, draws: tuple[float, float]) -> tuple[int, int]:
    """An origin of a patch inside the block."""
    (top, left), (bottom, right), (height, width) = block.start, block.stop, field.patch
    y = top + int(draws[0] * (bottom - top - height + 1))
    return y, left + int(draws[1] * (right - left - width + 1))


def _by(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def orient(patch: np.ndarray, orientation: int) -> np.ndarray:
    """The patch (c, y, x), square, in one of its eight orientations.

    Parameters
    ----------
    patch : ndarray, shape (c, y, x)
        Any dtype.
    orientation : int
        0..7, as in `Cut.orientation`; 0 returns the patch as it is.
    """
    # As numpy.rot90, whose checks of axes cost more than all else here.
    mirrored, turns = divmod(orientation, 4)
    if turns == 1:
        patch = patch[..., ::-1].swapaxes(-2, -1)
    elif turns == 2:
        patch = patch[..., ::-1, ::-1]
    elif turns == 3:
        patch = patch.swapaxes(-2, -1)[..., ::-1]
    return patch[..., ::-1] if mirrored else patch
