"""UTOM's networks: a U-Net of strided convolutions for either direction.

Isola et al., Image-to-image translation with conditional adversarial networks,
CVPR 2017 (the generator for 256 x 256).
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from stable_tiles.networks.chain import Chain, Conv, TransposedConv, initialize, norm
from stable_tiles.networks.reach import Span
from stable_tiles.networks.tanh import TwoGenerators
from stable_tiles.rivals import DeepUnetSettings


class DeepUnetNetwork(TwoGenerators):
    """Two deep U-Nets."""

    least = 1

    def __init__(self, channels_a: int, channels_b: int, settings: DeepUnetSettings) -> None:
        super().__init__(channels_a, channels_b, settings)
        self.generator_a2b = DeepUnet(channels_a, channels_b, settings)
        self.generator_b2a = DeepUnet(channels_b, channels_a, settings)
        initialize(self, "normal")


class DeepUnet(nn.Module):
    """Halves the image again and again, and joins every map with its like on the way back."""

    def __init__(self, channels_in: int, channels_out: int, settings: DeepUnetSettings) -> None:
        super().__init__()
        steps = range(settings.downsamplings)
        widths = [settings.width * min(2**step, 8) for step in steps]
        self.downs = nn.ModuleList([Chain(_halve(channels_in, widths[0]))])
        for above, below in pairwise(widths):
            self.downs.append(Chain(nn.LeakyReLU(0.2), _halve(above, below), norm(below)))
        self.downs[-1] = Chain(*list(cast(Chain, self.downs[-1]))[:-1])  # no norm of one pixel
        self.ups = nn.ModuleList()
        below = widths[-1]
        for above in widths[-2::-1]:
            self.ups.append(Chain(nn.ReLU(), TransposedConv(below, above, 4), norm(above)))
            below = 2 * above
        self.ups.append(Chain(nn.ReLU(), TransposedConv(below, channels_out, 4), nn.Tanh()))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels_in, h, w) to (n, channels_out, h, w)."""
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
        skips.pop()
        for up in self.ups:
            x = up(x)
            if skips:
                x = torch.cat([skips.pop(), x], dim=1)
        return x

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on, once statistics are given."""
        needed = []
        for up in reversed(list(self.ups)):
            span = cast(Chain, up).needs(span)
            needed.append(span)
        span = needed.pop()
        for down in reversed(list(self.downs)):
            span = cast(Chain, down).needs(span)
            if needed:
                span = span.join(needed.pop())
        return span


def _halve(channels_in: int, channels_out: int) -> Conv:
    return Conv(channels_in, channels_out, 4, stride=2, edge="zeros")
