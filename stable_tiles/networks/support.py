"""SUPPORT's network: a frame of a movie predicted from all pixels around each of its pixels.

Eom et al., "Statistically unbiased prediction enables accurate denoising of
voltage imaging data", Nature Methods 2023.

This module owns one hard idea: what a pixel becomes does not depend on that
pixel.  The frames around never hold it.  The frame itself passes through
convolutions whose middle tap is zero, each followed by wider ones: of 3 x 3
taps at dilations 1, 2, 4, ... or of 5 x 5 at 1, 3, 9, ...  A way through the
first k of them moves by a sum of digits times powers of two (digits -1..1) or
of three (-2..2); such a sum is zero only where every digit is, which the holes
forbid.  So no way leads back to where it began, and the maps behind any of
them are blind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.errors import SettingsError
from stable_tiles.networks.convolution import PlainConv2d, channels_last, convolve
from stable_tiles.networks.network import Direction, Network
from stable_tiles.networks.reach import Span, reach
from stable_tiles.networks.unet import UNet
from stable_tiles.settings import NetworkSettings
from stable_tiles.support import SupportNetworkSettings

SMALL, LARGE = (3, (1, 2, 4, 8, 16)), (5, (1, 3, 9))
"""Taps along a side and dilations of either row of convolutions."""


class HoleConv2d(PlainConv2d):
    """A dilated convolution that does not see the pixel in its middle; keeps the size."""

    hole: Tensor

    def __init__(self, channels_in: int, channels_out: int, kernel: int, dilation: int) -> None:
        super().__init__(channels_in, channels_out, kernel, bias=True)
        self.taps = dilation
        self.margin = (dilation * (kernel // 2),) * 2
        hole = torch.ones(kernel, kernel)
        hole[kernel // 2, kernel // 2] = 0
        self.register_buffer("hole", hole, persistent=False)

    def filters(self) -> Tensor:
        """The weight that convolves, its middle tap zero."""
        return self.weight * self.hole

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in, h, w) to (n, out, h, w)."""
        if self.training:
            return functional.conv2d(
                channels_last(x), self.filters(), self.bias, 1, self.margin, self.taps
            )
        return convolve(x, self.filters(), self.bias, self.margin, dilation=self.taps)


class BlindRow(nn.ModuleList):
    """Convolutions with holes, one behind the other, dilated more and more."""

    def __init__(self, channels: tuple[int, int], kernel: int, dilations: tuple[int, ...]) -> None:
        first, width = channels
        super().__init__(
            HoleConv2d(width if k else first, width, kernel, dilation)
            for k, dilation in enumerate(dilations)
        )

    def forward(self, x: Tensor) -> Iterator[Tensor]:
        """The maps (n, width, h, w) behind every convolution of a map (n, first, h, w)."""
        for layer in self:
            x = functional.relu_(layer(x))
            yield x

    def needs(self, span: Span) -> Span:
        """Input pixels that the last map's pixels depend on."""
        for layer in cast("list[HoleConv2d]", list(self)):
            span = layer.needs(span)
        return span


class SupportNetwork(Network):
    """Makes a frame of a movie from the frames around it and from its own other pixels.

    Channels are denoised one by one, with the same weights.

    Raises
    ------
    SettingsError
        If the domains' channels differ: a denoised movie has the noisy one's.
    """

    directions = ("a2b",)
    settings: SupportNetworkSettings

    def __init__(self, channels_a: int, channels_b: int, settings: SupportNetworkSettings) -> None:
        if channels_a != channels_b:
            raise SettingsError(
                f"method support keeps channels: {channels_a} cannot become {channels_b}"
            )
        super().__init__(channels_a, channels_b, settings)
        around = settings.frames - 1
        described = NetworkSettings(
            widths=settings.widths, norm=settings.norm, upsampling="bilinear", demodulate=False
        )
        self.unet = UNet(around, settings.widths[0], described)
        first = settings.widths[0] + 1, settings.branch
        self.rows = nn.ModuleList(BlindRow(first, *row) for row in (SMALL, LARGE))
        maps = sum(len(dilations) for _, dilations in (SMALL, LARGE))
        widths = (settings.widths[0] + maps * settings.branch, *settings.head, 1)
        self.head = nn.ModuleList(PlainConv2d(a, b, 1, bias=True) for a, b in pairwise(widths))
        _initialize(self)

    @property
    def stride(self) -> int:
        """Tiles start at multiples of this many pixels."""
        return self.settings.stride

    def parts(self, direction: Direction) -> tuple[str, ...]:
        """All of it."""
        return "unet", "rows", "head"

    def translate(self, x: Tensor, direction: Direction = "a2b") -> Tensor:
        """The middle frames (n, c, h, w), denoised, of pieces of movies (n, frames, c, h, w)."""
        n, frames, channels, height, width = x.shape
        apart = x.transpose(1, 2).reshape(n * channels, frames, height, width)
        middle = frames // 2
        # No names for what is needed once: it is freed, and a tile can be larger.
        features = self.unet(torch.cat([apart[:, :middle], apart[:, middle + 1 :]], dim=1))
        seen = torch.cat([apart[:, middle : middle + 1], features], dim=1)
        rows = (found for row in self.rows for found in row(seen))
        first, *hidden, last = cast("list[PlainConv2d]", list(self.head))
        made = functional.relu_(_joined(chain([features], rows), first))
        for layer in hidden:
            made = functional.relu_(layer(made))
        denoised: Tensor = last(made)
        return denoised.reshape(n, channels, height, width)

    def local_reach(self, direction: Direction) -> int:
        """Pixels beyond an output pixel, in its own frame and around, that it depends on."""
        return reach(self._needs, self.stride)

    def settle(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Nothing to measure: displacements are none, and norms keep running statistics."""

    def _needs(self, span: Span) -> Span:
        rows = [row.needs(span) for row in cast("list[BlindRow]", list(self.rows))]
        return self.unet.needs(rows[0].join(rows[1]))


def _joined(maps: Iterable[Tensor], layer: PlainConv2d) -> Tensor:
    """What a 1 x 1 convolution makes of maps behind each other, which are never all there."""
    bias, first = layer.bias, 0
    total: Tensor | None = None
    for x in maps:
        weight = layer.weight[:, first : first + x.shape[1]]
        if layer.training:
            part = functional.conv2d(channels_last(x), weight, bias)
        else:
            part = convolve(x, weight, bias, (0, 0))
        total = part if total is None else total + part
        first, bias = first + x.shape[1], None
    assert total is not None  # there is at least one map
    return total


def _initialize(network: nn.Module) -> None:
    """Filters that keep the spread of what passes a rectifier (He et al. 2015); no bias."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
