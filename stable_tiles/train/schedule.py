"""Which patch comes when: a pure function of (seed, domain, index), with no state and no I/O.

This module is the only one that knows how patches are drawn.  Positions are
counted, not stored: every plane of every image has ``(height - side + 1) *
(width - side + 1)`` *anchors* (top-left corners of patches that lie wholly
inside), and one number names an anchor of the whole domain.

Reading a patch means decoding whole chunks, so patches come from *blocks*:
the anchors of a plane are cut into cells of whole chunks, and a block is the
window of pixels that the patches of one cell can touch.  Each block serves
`REUSE` patches; `MIXED` blocks are in use at any time, in slots that take
turns and are renewed one after the other::

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
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

REUSE = 8
"""Patches that each decoded block serves."""

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
    height, width : int
        Size of each plane in pixels.
    side : int
        Side of a patch in this image's own pixels.
    cell : int
        Side of a cell of anchors in pixels: a multiple of the chunk's side.

    Raises
    ------
    ValueError
        If a patch does not fit into the plane.
    """

    planes: int
    height: int
    width: int
    side: int
    cell: int

    def __post_init__(self) -> None:
        if not 0 < self.side <= min(self.height, self.width):
            raise ValueError(f"patches of {self.side} px do not fit {self.height} x {self.width}")

    @property
    def anchors(self) -> tuple[int, int]:
        """Numbers of valid patch origins along y and x."""
        return self.height - self.side + 1, self.width - self.side + 1

    @property
    def positions(self) -> int:
        """Number of different patches in all planes."""
        rows, columns = self.anchors
        return self.planes * rows * columns

    @property
    def largest_block(self) -> int:
        """Pixels of the largest block."""
        rows, columns = (min(self.cell, n) + self.side - 1 for n in self.anchors)
        return rows * columns


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
    """One patch: a square of a block, and how it is turned.

    Parameters
    ----------
    block : Block
        The window that holds the patch.
    origin : tuple of int
        The patch's first pixel (y, x) in the plane.
    side : int
        Side in the image's own pixels.
    orientation : int
        0..7: quarter turns (value modulo 4), then a mirror of x from 4 on.
    """

    block: Block
    origin: tuple[int, int]
    side: int
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

    def cut(self, index: int) -> Cut:
        """The patch number `index` (from 0), whatever was asked for before."""
        turn, slot = divmod(index, self.mixed)
        renewals = (turn + slot * REUSE // self.mixed) // REUSE
        block, selective = self._block(renewals * self.mixed + slot)
        field = self.fields[block.image]
        tries = TRIES if selective else 1
        turned, *draws = self._uniform(_PATCH, index, 1 + 2 * tries)
        origin = self._first(
            (block.image, block.plane, _within(field, block, draws[i : i + 2]))
            for i in range(0, 2 * tries, 2)
        )[2]
        return Cut(block, origin, field.side, int(turned * 8) if self.augment else 0)

    def _block(self, number: int) -> tuple[Block, bool]:
        """The block of that number, and whether it was drawn from the foreground."""
        chance, *places = self._uniform(_BLOCK, number, 1 + (TRIES if self.foreground else 1))
        selective = chance < self.foreground
        tried = places if selective else places[:1]
        image, plane, anchor = self._first(map(self._locate, tried))
        field = self.fields[image]
        y, x = (a // field.cell * field.cell for a in anchor)
        rows, columns = field.anchors
        stop = (min(y + field.cell, rows), min(x + field.cell, columns))
        reach = field.side - 1
        return Block(image, plane, (y, x), (stop[0] + reach, stop[1] + reach)), selective

    def _first(self, places: Iterable[_Place]) -> _Place:
        """The first place whose patch shows something at its centre, else the last."""
        for image, plane, origin in places:
            half = self.fields[image].side / 2
            chosen = image, plane, origin
            if self.shows(image, plane, origin[0] + half, origin[1] + half):
                break
        return chosen

    def _locate(self, place: float) -> _Place:
        ends = list(accumulate(field.positions for field in self.fields))
        anchor = int(place * ends[-1])
        image = bisect_right(ends, anchor)
        field = self.fields[image]
        rows, columns = field.anchors
        plane, within = divmod(anchor - (ends[image] - field.positions), rows * columns)
        return image, plane, divmod(within, columns)

    def _uniform(self, purpose: int, index: int, count: int) -> Sequence[float]:
        # Raw words of a counter-based generator: the same on every machine and
        # for every release of numpy, and no generator has to be wound forward.
        words = np.random.Philox(
            key=[self.seed, self.stream], counter=[0, 0, purpose, index]
        ).random_raw(count)
        return [float(word) for word in (words >> np.uint64(11)) * 2.0**-53]


def _within(field: Field, block: Block, draws: Sequence[float]) -> tuple[int, int]:
    """An origin of a patch inside the block."""
    y, x = (
        start + int(u * (stop - start - field.side + 1))
        for start, stop, u in zip(block.start, block.stop, draws, strict=True)
    )
    return y, x


def orient(patch: np.ndarray, orientation: int) -> np.ndarray:
    """The patch (c, y, x), square, in one of its eight orientations.

    Parameters
    ----------
    patch : ndarray, shape (c, y, x)
        Any dtype.
    orientation : int
        0..7, as in `Cut.orientation`; 0 returns the patch as it is.
    """
    turned = np.rot90(patch, orientation % 4, axes=(-2, -1))
    return turned[..., ::-1] if orientation >= 4 else turned
