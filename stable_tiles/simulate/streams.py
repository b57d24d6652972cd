"""Random numbers that are addressed, not drawn: the same name and index give the same number.

Nothing else in this folder knows how.  Because no number depends on which
others were asked for before it, any part of a scene can be made on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True)
class Stream:
    """A family of random numbers known by its name.

    Parameters
    ----------
    names : tuple of str or int
        What the numbers are for, such as ``(seed, "calcium", "test/0000")``.
        Streams whose names differ are independent.
    """

    names: tuple[str | int, ...]

    def named(self, *names: str | int) -> Stream:
        """The stream of a more particular purpose."""
        return Stream((*self.names, *names))

    @property
    def key(self) -> int:
        """64 bits that identify the name (BLAKE2b)."""
        text = "\x1f".join(f"{type(name).__name__}:{name}" for name in self.names)
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")

    def uniform(self, *indices: Ints | int) -> Floats:
        """Numbers uniform in (0, 1), one for every tuple of the broadcast integer indices.

        The indices pass one after the other through the finalizer of
        SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195).
        """
        state = np.array(self.key, np.uint64)
        for index in indices:
            word = np.asarray(index, np.int64).astype(np.uint64)
            state = _scramble(state ^ _scramble(word + _GOLDEN))
        return ((state >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52

    def normal(self, *indices: Ints | int) -> Floats:
        """Standard normal numbers, one for every tuple of the broadcast integer indices."""
        return np.asarray(ndtri(self.uniform(*indices)), np.float64)

    def generator(self) -> np.random.Generator:
        """A sequential generator at the start of this stream, for noise in bulk."""
        return np.random.Generator(np.random.Philox(key=self.key))


def _scramble(word: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        word = (word ^ (word >> np.uint64(30))) * _MIX[0]
        word = (word ^ (word >> np.uint64(27))) * _MIX[1]
    return word ^ (word >> np.uint64(31))
