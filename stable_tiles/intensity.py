"""Intensity: exact percentiles in one pass, and the linear map to network units and back.

Pixels are counted once, region by region, into a mergeable histogram; a
`Normalizer` is fitted from its percentiles once and then only applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from stable_tiles.settings import Normalization

Array = TypeVar("Array", bound=Any)

STORED_PERCENTILES = (0, 0.1, 0.5, 1, 2, 5, 25, 50, 75, 95, 98, 99, 99.5, 99.9, 100)
"""The percentiles (percent) that every store keeps for each of its channels."""

_FLOAT_BITS = 20
"""Leading bits of a float32 that choose its bin: a bin is 0.05 % of its value wide."""

_SHORT = 256
"""Most bins of the histogram that a store keeps."""

_SLICE = 1 << 18
"""Pixels counted at a time, which bounds the memory of counting."""


@dataclass(frozen=True)
class Normalizer:
    """The linear map of pixel values ``low..high`` to 0..1, nothing clipped.

    Parameters
    ----------
    low, high : tuple of float
        One value for every channel, or a single one for all; ``low < high``.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or not self.low:
            raise ValueError(f"low {self.low} and high {self.high} differ in length or are empty")
        if any(not a < b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"low {self.low} is not below high {self.high}")

    def normalize(
        self, planes: npt.NDArray[Any], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Pixels in network units: ``(x - low) / (high - low)``.

        Parameters
        ----------
        planes : array, (..., c, y, x)
            Pixel values of any real dtype.
        out : array of float32, same shape, optional
            Where to put the result.

        Returns
        -------
        array of float32, same shape
        """
        low, span = self.columns
        scaled = np.empty(planes.shape, np.float32) if out is None else out
        scaled[...] = planes
        scaled -= low
        scaled /= span
        return scaled

    def denormalize(self, planes: Array) -> Array:
        """Network units back in pixel values: ``x * (high - low) + low``.

        Parameters
        ----------
        planes : array or tensor of float32, (..., c, y, x)

        Returns
        -------
        array or tensor of float32, same shape
        """
        low, span = self.columns
        scaled: Any
        if isinstance(planes, np.ndarray):
            scaled = planes * span + low
        else:
            scaled = planes * planes.new_tensor(span) + planes.new_tensor(low)
        result: Array = scaled
        return result

    @cached_property
    def columns(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """What is subtracted and then divided by: float32, (c or 1, 1, 1) each."""
        low = np.asarray(self.low, np.float64)
        span = np.asarray(self.high, np.float64) - low
        return (
            low.astype(np.float32)[:, None, None],
            span.astype(np.float32)[:, None, None],
        )


class Histogram:
    """Counts of pixel values by channel, filled region by region and mergeable.

    Several threads may fill one at once: they wait for each other only to add.

    Integers of up to 16 bits are counted exactly.  Wider integers and floats
    are counted in bins 0.05 % of their value wide; NaN is not counted.

    Parameters
    ----------
    channels : int
        Number of channels.
    dtype : numpy dtype
        Dtype of the pixels.
    """

    def __init__(self, channels: int, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype.kind not in "uifb":
            raise ValueError(f"pixels of dtype {self.dtype} have no percentiles")
        self.exact = self.dtype.kind in "uib" and self.dtype.itemsize <= 2
        bits = 8 * self.dtype.itemsize if self.exact else _FLOAT_BITS
        self.counts = np.zeros((channels, 1 << bits), np.int64)
        self._lock = Lock()

    def update(self, block: npt.NDArray[Any]) -> None:
        """Count every pixel of a block of shape (t, c, z, y, x)."""
        for channel in range(block.shape[1]):
            flat = block[:, channel].reshape(-1)
            if self.dtype.itemsize == 1 and self.exact:
                self._add(channel, self._count_bytes(np.ascontiguousarray(flat)))
                continue
            for start in range(0, flat.size, _SLICE):
                self._add(channel, np.bincount(self._bins(flat[start : start + _SLICE])))

    def _add(self, channel: int, found: npt.NDArray[np.integer[Any]]) -> None:
        with self._lock:
            self.counts[channel, : found.size] += found

    def _count_bytes(self, flat: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Counts of values of one byte: two of them are counted as one number of 16 bits."""
        even = flat.size // 2 * 2
        pairs = flat[:even].view(np.uint16)
        both = np.zeros(1 << 16, np.int64)
        for start in range(0, pairs.size, _SLICE):
            both += np.bincount(pairs[start : start + _SLICE], minlength=1 << 16)
        square = both.reshape(256, 256)
        counts: npt.NDArray[np.int64] = square.sum(axis=0) + square.sum(axis=1)
        if flat.size > even:
            counts[flat[even:].view(np.uint8)] += 1
        # Signed values stand in the order -128..127, their bytes in 0..127, -128..-1.
        return np.roll(counts, 128) if self.dtype.kind == "i" else counts

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram of the same dtype and channels."""
        self.counts += other.counts

    def percentiles(self, percents: Sequence[float]) -> list[list[float]]:
        """Percentiles of each channel, linear between order statistics as `numpy.percentile`.

        Returns
        -------
        list of list of float
            One list a channel, in the order of `percents`; NaN where no pixel was counted.
        """
        return [[self._percentile(counts, q) for q in percents] for counts in self.counts]

    def stored(self) -> list[dict[str, float]]:
        """The percentiles that stores keep, one dict a channel, keyed ``"0.1"``, ``"50"``, ..."""
        keys = [f"{percent:g}" for percent in STORED_PERCENTILES]
        rows = self.percentiles(STORED_PERCENTILES)
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def binned(self) -> list[dict[str, Any]]:
        """A short histogram of each channel: at most 256 bins of one width.

        Returns
        -------
        list of dict
            For each channel ``low``, ``width`` and ``counts``: ``counts[i]`` pixels
            have a value from ``low + i * width`` up to the next bin.  Integers fill
            bins of whole numbers; infinities and NaN are not counted.
        """
        return [self._binned(counts) for counts in self.counts]

    def _binned(self, counts: npt.NDArray[np.int64]) -> dict[str, Any]:
        filled = np.flatnonzero(counts)
        values = self._values(filled)
        finite = np.isfinite(values)
        filled, values = filled[finite], values[finite]
        if not filled.size:
            return {"low": 0.0, "width": 1.0, "counts": []}
        low, span = float(values[0]), float(values[-1] - values[0])
        width = ceil((span + 1) / _SHORT) if self.exact else span / _SHORT or 1.0
        places = np.minimum((values - low) // width, _SHORT - 1).astype(np.intp)
        short = np.bincount(places, weights=counts[filled])
        return {"low": low, "width": float(width), "counts": short.astype(np.int64).tolist()}

    def _bins(self, values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        if self.exact:
            if self.dtype.kind == "i":
                # The sign bit turned stands for adding half of the range, in the small dtype.
                unsigned = np.dtype(f"u{self.dtype.itemsize}")
                values = values.view(unsigned) ^ unsigned.type(1 << (8 * self.dtype.itemsize - 1))
            return values.astype(np.intp)
        numbers = values.astype(np.float32)
        bits = numbers[~np.isnan(numbers)].view(np.uint32)
        ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
        return (ordered >> (32 - _FLOAT_BITS)).astype(np.intp)

    def _values(self, indices: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """The values that the bins of these numbers stand for."""
        if self.exact:
            zero = 0 if self.dtype.kind in "ub" else self.counts.shape[1] // 2
            return (indices - zero).astype(np.float64)
        middle = np.uint32(1 << (31 - _FLOAT_BITS))
        ordered = (indices.astype(np.uint32) << np.uint32(32 - _FLOAT_BITS)) | middle
        bits = np.where(ordered >> 31, ordered & np.uint32(0x7FFFFFFF), ~ordered)
        with np.errstate(invalid="ignore"):  # the bin of infinity stands for no number
            return bits.view(np.float32).astype(np.float64)

    def _value(self, index: int) -> float:
        return float(self._values(np.asarray([index]))[0])

    def _percentile(self, counts: npt.NDArray[np.int64], percent: float) -> float:
        cumulative = np.cumsum(counts)
        total = int(cumulative[-1])
        if total == 0:
            return float("nan")
        position = (total - 1) * percent / 100
        below = self._value(int(np.searchsorted(cumulative, int(position), side="right")))
        rank = min(int(position) + 1, total - 1)
        above = self._value(int(np.searchsorted(cumulative, rank, side="right")))
        return below + (above - below) * (position - int(position))


def dtype_range(dtype: npt.DTypeLike) -> tuple[float, float]:
    """The values that a dtype spans: its limits for integers, 0..1 for floats."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return 0.0, 1.0
    if kind.kind in "ui":
        return float(np.iinfo(kind).min), float(np.iinfo(kind).max)
    return 0.0, 1.0


def fit_normalizer(
    settings: Normalization,
    percentiles: Sequence[tuple[float, float]],
    dtype: npt.DTypeLike,
) -> Normalizer:
    """The normalizer that the settings ask for.

    Parameters
    ----------
    settings : Normalization
        Which map to fit.
    percentiles : sequence of (float, float)
        For each channel its values at the settings' low and high percentile;
        used for the kind ``percentile`` only.
    dtype : dtype
        Dtype of the pixels, which gives the kind ``range`` its defaults.

    Returns
    -------
    Normalizer
        With one entry a channel for ``per: channel``, else one for all.  A
        constant image maps to 0 (its span counts as 1).
    """
    if settings.kind == "none":
        return Normalizer((0.0,), (1.0,))
    if settings.kind == "range":
        low, high = settings.bounds
        lowest, highest = dtype_range(dtype)
        return Normalizer(
            (lowest if low is None else low,),
            (highest if high is None else high,),
        )
    lows = [low for low, _ in percentiles]
    highs = [high for _, high in percentiles]
    if settings.per == "image":
        lows, highs = [min(lows)], [max(highs)]
    highs = [high if high > low else low + 1.0 for low, high in zip(lows, highs, strict=True)]
    return Normalizer(tuple(lows), tuple(highs))
