"""Pixels: from stored values to network units, and from network units to what is stored.

Both maps are fitted once for the whole image, so that no tile and no region
has its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stable_tiles.intensity import Normalizer

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

    def enter(self, planes: npt.NDArray[Any]) -> Tensor:
        """Network units of pixels (n, c, y, x), as a float32 tensor of that shape."""
        return torch.from_numpy(np.ascontiguousarray(self.source.normalize(planes)))

    def leave(self, units: Tensor) -> tuple[npt.NDArray[Any], int]:
        """Pixels of the output, and how many of them were clipped.

        Parameters
        ----------
        units : Tensor, (n, c, y, x), float32
            Network units.

        Returns
        -------
        array, (n, c, y, x)
            In the output's dtype.  Integers are rounded half to even and
            clipped to their range; there NaN becomes 0 and counts as clipped.
        int
            Number of values that were clipped.
        """
        values = self.target.denormalize(units)
        if np.dtype(self.dtype).kind == "f":
            return values.cpu().numpy(), 0
        limits = np.iinfo(self.dtype)
        values = torch.round(values)
        inside = (values >= limits.min) & (values <= limits.max)
        clipped = inside.numel() - int(torch.count_nonzero(inside))
        whole = torch.nan_to_num(values, nan=0.0).clamp(limits.min, limits.max).to(torch.int32)
        return whole.cpu().numpy().astype(self.dtype), clipped


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
