"""Pixels: from stored values to network units, and from network units to what is stored.

Both maps are fitted once for the whole image, so that no tile and no region
has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stable_tiles.intensity import Normalizer

_STRIP_PIXELS = 1 << 17
"""Values converted at a time on a CPU."""

_TRAVELLING = {"uint8", "int8", "int16", "uint16", "float32"}
"""Dtypes that PyTorch takes to any device."""

_SAME = Normalizer((0.0,), (1.0,))


@dataclass(frozen=True)
class Intensity:
    """How pixels enter and leave the network.

    Parameters
    ----------
    source : Normalizer
        From the source's pixel values to network units.
    target : Normalizer
        Its inverse takes network units to the output's pixel values.
    dtype : str
        Dtype of the output: ``float32`` or an integer of up to 16 bits.
    """

    source: Normalizer
    target: Normalizer
    dtype: str

    def entering(self) -> Intensity:
        """Only the way in: what leaves stays in network units, float32."""
        return Intensity(self.source, _SAME, "float32")

    def leaving(self) -> Intensity:
        """Only the way out: what enters is in network units already."""
        return Intensity(_SAME, self.target, self.dtype)

    def enter(
        self, planes: npt.NDArray[Any], device: torch.device | Literal["cpu"] = "cpu"
    ) -> Tensor:
        """Network units of pixels (n, c, y, x), as a float32 tensor of that shape on a device.

        Another device than the CPU gets the pixels as they are stored, which
        are smaller, and makes the same bits of them itself.
        """
        if self.source == _SAME and planes.dtype == np.float32:
            return torch.from_numpy(planes).to(device)
        if torch.device(device).type == "cpu" or planes.dtype.name not in _TRAVELLING:
            units = np.empty(planes.shape, np.float32)
            for rows in _strips(planes.shape):
                self.source.normalize(planes[..., rows, :], units[..., rows, :])
            return torch.from_numpy(units).to(device)
        stored = torch.from_numpy(np.ascontiguousarray(planes)).to(device).float()
        low, span = (stored.new_tensor(column) for column in self.source.columns)
        return stored.sub_(low).div_(span)

    def leave(
        self, units: Tensor, out: npt.NDArray[Any] | None = None
    ) -> tuple[npt.NDArray[Any], int]:
        """Pixels of the output, and how many of them were clipped.

        Parameters
        ----------
        units : Tensor, (n, c, y, x), float32
            Network units.
        out : array, (n, c, y, x), optional
            Where to put the pixels; of the output's dtype.

        Returns
        -------
        array, (n, c, y, x)
            In the output's dtype.  Integers are rounded half to even and
            clipped to their range; there NaN becomes 0 and counts as clipped.
        int
            Number of values that were clipped.
        """
        pixels = np.empty(units.shape, self.dtype) if out is None else out
        # PyTorch computes little with uint16, so its 16 bits travel as those of an int16.
        place = torch.from_numpy(pixels.view("int16") if self.dtype == "uint16" else pixels)
        clipped = 0
        for rows in _strips(units.shape) if units.device.type == "cpu" else [slice(None)]:
            values = units[..., rows, :]
            if self.target != _SAME:
                values = self.target.denormalize(values)
            if self.dtype != "float32":
                values, lost = self._integers(values)
                clipped += lost
            place[..., rows, :] = values.to(place.dtype)
        return pixels, clipped

    def _integers(self, values: Tensor) -> tuple[Tensor, int]:
        """Whole numbers within the range of the output's dtype, and how many were clipped."""
        limits, clipped = np.iinfo(self.dtype), 0
        whole = torch.round(values)
        least, most = torch.aminmax(whole)
        if not (least >= limits.min and most <= limits.max):
            inside = (whole >= limits.min) & (whole <= limits.max)
            clipped = inside.numel() - int(torch.count_nonzero(inside))
            whole = whole.nan_to_num_(nan=0.0).clamp_(limits.min, limits.max)
        return whole.to(torch.int32) if self.dtype == "uint16" else whole, clipped


def _strips(shape: Sequence[int]) -> list[slice]:
    """Rows of planes (n, c, y, x), a few at a time, so that they stay in the cache."""
    *others, height, width = shape
    rows = max(1, _STRIP_PIXELS // (prod(others) * width))
    return [slice(top, top + rows) for top in range(0, height, rows)]


def storable(dtype: str) -> str:
    """The dtype in which values of a domain's `dtype` are stored: its own, or float32."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return "uint8"
    return kind.name if kind.kind in "ui" and kind.itemsize <= 2 else "float32"


def unit_normalizer(dtype: str) -> Normalizer:
    """The map that stores network units 0..1 over the whole range of an integer, or as they are."""
    kind = np.dtype(dtype)
    return Normalizer((0.0,), (float(np.iinfo(kind).max) if kind.kind in "ui" else 1.0,))
