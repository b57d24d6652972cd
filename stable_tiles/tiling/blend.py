"""Blend: how overlapping tiles share a pixel; every mode is one 1-D profile.

A tile's weight at a position is its profile there divided by the sum of the
profiles of all tiles that cover the position.  Along each axis the weights
therefore sum to one, and so do their products in the plane: no count map, no
plane-sized accumulator, no epsilon.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Blend = Literal["crop", "linear", "hann", "gaussian"]
"""``crop`` tiles do not overlap; the other modes name the profile of the overlap."""

GAUSSIAN_SIGMA = 1 / 8
"""Standard deviation of the Gaussian profile, in tile lengths."""


def profile(blend: Blend, length: int, overlap: int) -> npt.NDArray[np.float64]:
    """The profile of one tile along one axis, before it is divided by the sum.

    Parameters
    ----------
    blend : Blend
        ``crop``: a box.  ``linear`` and ``hann``: a plateau with ramps as wide
        as the overlap.  ``gaussian``: centred, over the whole tile.
    length : int
        Pixels of the tile along this axis.
    overlap : int
        Pixels that neighbouring tiles share.

    Returns
    -------
    array of float64, (length,)
        Symmetric and in (0, 1].
    """
    if blend == "crop" or overlap == 0:
        return np.ones(length)
    position = np.arange(length, dtype=np.float64) + 0.5
    if blend == "gaussian":
        offset = (position - length / 2) / (GAUSSIAN_SIGMA * length)
        bell: npt.NDArray[np.float64] = np.exp(-0.5 * offset**2)
        return bell
    distance = np.minimum(position, length - position)
    ramp = np.asarray(np.clip(distance / overlap, 0.0, 1.0), np.float64)
    return ramp if blend == "linear" else np.square(np.sin(0.5 * np.pi * ramp))
