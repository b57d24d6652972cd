"""Exact percentiles and limits of stores of any size, in one or two passes of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.image.store import Image

_PIXELS = 2**22
_HALF = 1 << 16


def limits(image: Image) -> tuple[float, float]:
    """The lowest and the highest finite pixel of all channels; NaN where there is none."""
    if _counts_exactly(image):
        rows = image.percentiles((0, 100))
        return min(low for low, _ in rows), max(high for _, high in rows)
    low, high = np.inf, -np.inf
    for region in image.blocks(_PIXELS):
        block = image.read(region)
        finite = block[np.isfinite(block)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (float("nan"), float("nan"))


def percentiles(image: Image, percents: Sequence[float]) -> list[list[float]]:
    """Percentiles of each channel as `numpy.percentile` gives them, NaN not counted.

    Integers of up to 16 bits come from the store's counts; other pixels are
    counted in float32: once by their upper 16 bits, once more by the lower
    ones where a percentile falls.

    Parameters
    ----------
    image : Image
    percents : sequence of float
        In 0..100.

    Returns
    -------
    list of list of float
        One list a channel, in the order of `percents`; NaN where there is no pixel.
    """
    if _counts_exactly(image):
        return image.percentiles(percents)
    return [_of_channel(image, channel, percents) for channel in range(image.shape[1])]


def _counts_exactly(image: Image) -> bool:
    return image.dtype.kind in "uib" and image.dtype.itemsize <= 2


def _of_channel(image: Image, channel: int, percents: Sequence[float]) -> list[float]:
    upper = np.zeros(_HALF, np.int64)
    for keys in _keys(image, channel):
        upper += np.bincount(keys >> 16, minlength=_HALF)
    total = int(upper.sum())
    if not total:
        return [float("nan")] * len(percents)
    positions = [(total - 1) * percent / 100 for percent in percents]
    ranks = sorted({r for p in positions for r in (int(p), min(int(p) + 1, total - 1))})
    ends = np.cumsum(upper)
    homes = {rank: int(np.searchsorted(ends, rank, side="right")) for rank in ranks}
    lower = {home: np.zeros(_HALF, np.int64) for home in homes.values()}
    for keys in _keys(image, channel):
        high = keys >> 16
        for home, counts in lower.items():
            lower[home] = counts + np.bincount(keys[high == home] & 0xFFFF, minlength=_HALF)
    values = {}
    for rank, home in homes.items():
        within = rank - int(ends[home] - upper[home])
        low = int(np.searchsorted(np.cumsum(lower[home]), within, side="right"))
        values[rank] = _value(home << 16 | low)
    return [
        values[int(p)] + (values[min(int(p) + 1, total - 1)] - values[int(p)]) * (p - int(p))
        for p in positions
    ]


def _keys(image: Image, channel: int) -> Iterator[npt.NDArray[np.int64]]:
    """The pixels as whole numbers that sort as they do."""
    for region in image.blocks(_PIXELS):
        numbers = image.read(region, channels=(channel,)).astype(np.float32).ravel()
        bits = numbers[~np.isnan(numbers)].view(np.uint32)
        ordered: npt.NDArray[Any] = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
        yield ordered.astype(np.int64)


def _value(key: int) -> float:
    bits = key & 0x7FFFFFFF if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.uint32(bits).view(np.float32))
