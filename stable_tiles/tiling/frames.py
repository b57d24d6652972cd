"""Frames: which frames of a movie a frame is made from, and which a region reads for all of its.

This module alone knows what lies before the first and behind the last frame:
the movie, reflected there, the end frame itself not repeated::

    frames        0 1 2 3 4 5 6
    reads, 2  ... 2 1 [0 1 2 3 4 5 6] 5 4 ...
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Frames:
    """The frames of a movie, each made from its neighbours in time.

    Parameters
    ----------
    length : int
        Frames of the movie.
    reach : int
        Frames before and behind one that it is made from.
    """

    length: int
    reach: int

    def __post_init__(self) -> None:
        if self.length < 1 or self.reach < 1:
            raise ValueError(f"{self} has no frames or reads none around")

    def reads(self, start: int, stop: int) -> tuple[int, int]:
        """First frame that frames ``start..stop`` are made from, and that behind the last."""
        return max(0, start - self.reach), min(self.length, stop + self.reach)

    def windows(self, start: int, stop: int) -> npt.NDArray[np.intp]:
        """The frames that each of ``start..stop`` is made from.

        Returns
        -------
        array of int, (stop - start, 2 * reach + 1)
            In ascending time but for reflection, the frame itself in the middle;
            all lie in `reads`.
        """
        around = np.arange(start, stop)[:, None] + np.arange(-self.reach, self.reach + 1)
        period = max(1, 2 * (self.length - 1))
        within = around % period
        windows: npt.NDArray[np.intp] = np.minimum(within, period - within)
        return windows if self.length > 1 else np.zeros_like(windows)
