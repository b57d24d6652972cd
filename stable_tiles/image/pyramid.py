"""Pyramid: one level from the next finer one.

Pixel centres keep their place: level k has scale 2^k and lies (2^k - 1)/2
level-0 pixels from the origin, so a dot's centroid agrees across levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def halve(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The next coarser level of a block: the mean of 2 x 2 pixels in the block's own dtype.

    Parameters
    ----------
    block : array, (..., y, x)
        Any real dtype; must start at even pixels of its level.

    Returns
    -------
    array of the same dtype, (..., ceil(y / 2), ceil(x / 2))
        Integers are rounded half to even; at an odd edge the mean is over the
        pixels that exist.
    """
    padded = _even(block)
    parts = (
        padded[..., 0::2, 0::2],
        padded[..., 0::2, 1::2],
        padded[..., 1::2, 0::2],
        padded[..., 1::2, 1::2],
    )
    kind = block.dtype.kind
    if kind == "f":
        total = parts[0].astype(_wider(block.dtype))
        for part in parts[1:]:
            total += part
        return (total * 0.25).astype(block.dtype)
    wide = np.int32 if block.dtype.itemsize <= 2 else np.int64
    if block.dtype.itemsize == 8:
        return np.rint(np.mean(np.stack(parts), axis=0, dtype=np.float64)).astype(block.dtype)
    total = parts[0].astype(wide)
    for part in parts[1:]:
        total += part
    return _quarter_half_even(total).astype(block.dtype)


def nearest(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The next coarser level of a label image: every second pixel along y and x."""
    return block[..., ::2, ::2]


def _even(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Edge pixels repeated to even sides, which makes the edge's mean that of what exists."""
    odd = [size % 2 for size in block.shape[-2:]]
    if not any(odd):
        return block
    return np.pad(block, [(0, 0)] * (block.ndim - 2) + [(0, n) for n in odd], mode="edge")


def _wider(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    return np.float32 if dtype.itemsize == 2 else np.float64


def _quarter_half_even(total: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sums of four divided by four, ties to the even quotient, without leaving integers."""
    quotient = total >> 2
    remainder = total & 3
    quotient += (remainder == 3) | ((remainder == 2) & ((quotient & 1) == 1))
    return quotient
