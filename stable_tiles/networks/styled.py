"""Styled: layers whose norms take scale and shift from numbers that describe a style.

Huang & Belongie, Arbitrary style transfer in real-time with adaptive instance
normalization, ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stable_tiles.networks.chain import Conv, norm
from stable_tiles.networks.reach import Span

Affine = tuple[Tensor, Tensor]
"""Scale and shift (n, c, 1, 1)."""


class AdaptiveNorm(nn.Module):
    """An instance norm, then a scale and a shift that are given with every call."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)

    def forward(self, x: Tensor, affine: Affine) -> Tensor:
        """Normalise, scale and shift (n, c, h, w)."""
        scale, shift = (values.to(x.dtype) for values in affine)
        normalized: Tensor = self.norm(x)
        return normalized * scale + shift


class StyledResidual(nn.Module):
    """Adds to a map what two 3 x 3 convolutions with adaptive norms make of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Conv(channels, channels), Conv(channels, channels)
        self.norm_first, self.norm_second = AdaptiveNorm(channels), AdaptiveNorm(channels)

    def forward(self, x: Tensor, first: Affine, second: Affine) -> Tensor:
        """Map (n, c, h, w) to the same size."""
        changed: Tensor = torch.relu(self.norm_first(self.first(x), first))
        changed = self.norm_second(self.second(changed), second)
        return x + changed

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        return self.first.needs(self.second.needs(span))


def affines(numbers: Tensor, channels: Sequence[int]) -> list[Affine]:
    """Numbers (n, 2 * sum of channels) as the scale and the shift of each adaptive norm."""
    parts = torch.split(numbers, [width for each in channels for width in (each, each)], dim=1)
    shaped = [part[:, :, None, None] for part in parts]
    return list(zip(shaped[::2], shaped[1::2], strict=True))
