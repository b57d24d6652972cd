"""Pyramid: one level from the next finer one.

Pixel centres keep their place: level k has scale 2^k and lies (2^k - 1)/2
level-0 pixels from the origin, so a dot's centroid agrees across levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_STRIP_PIXELS = 1 << 16
"""Pixels averaged at a time."""


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
    kind, size = block.dtype.kind, block.dtype.itemsize
    if kind == "f":
        return (_sum(padded, _wider(block.dtype)) * 0.25).astype(block.dtype)
    if kind == "b":
        return _quarter_half_even(_sum(padded, np.int32)).astype(block.dtype)
    if size == 8:
        parts = np.stack(_quarters(padded))
        return np.rint(np.mean(parts, axis=0, dtype=np.float64)).astype(block.dtype)
    if size == 4:
        return _quarter_half_even(_sum(padded, np.int64)).astype(block.dtype)
    if kind == "u":
        return _halve_small(padded)
    # Moved by an even number, signed values round as unsigned ones.
    unsigned, middle = np.dtype(f"u{size}"), 1 << (8 * size - 1)
    return (_halve_small(padded.view(unsigned) ^ unsigned.type(middle)) ^ middle).view(block.dtype)


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


def _quarters(padded: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    return [padded[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]


def _sum(padded: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    first, *others = _quarters(padded)
    total = first.astype(dtype)
    for part in others:
        total += part
    return total


def _halve_small(padded: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The mean of 2 x 2 unsigned integers of 8 or 16 bits, several times as fast as by slices.

    Rows are added pairwise; a pair of columns is then read as one number of
    twice the bits, whose halves are added.  Strips of rows stay in the cache.
    """
    bits = 16 * padded.dtype.itemsize
    wide, pair = np.dtype(f"u{bits // 8}"), np.dtype(f"u{bits // 4}")
    *others, height, width = padded.shape
    result = np.empty((*others, height // 2, width // 2), padded.dtype)
    rows = max(1, _STRIP_PIXELS // width)
    for index in np.ndindex(*others):
        for top in range(0, height // 2, rows):
            strip = padded[index][2 * top : 2 * (top + rows)]
            columns = strip[0::2].astype(wide)
            columns += strip[1::2]
            total = columns.view(pair)
            total = (total & pair.type((1 << bits) - 1)) + (total >> pair.type(bits))
            result[index][top : top + rows] = _quarter_half_even(total)
    return result


def _quarter_half_even(total: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sums of four divided by four, ties to the even quotient, without leaving integers."""
    odd = total >> 2
    odd &= 1
    odd += 1
    odd += total
    odd >>= 2
    return odd
