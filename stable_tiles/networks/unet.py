"""The U-Net that every encoder and decoder is: only its channels in and out differ."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.errors import SettingsError
from stable_tiles.networks.convolution import NormedConv2d, PlainConv2d
from stable_tiles.networks.layers import (
    Bilinear,
    DeformableConv2d,
    DySample,
    Norm,
    Upsampling,
    normalization,
)
from stable_tiles.networks.reach import Span
from stable_tiles.settings import NetworkSettings


class Block(nn.Module):
    """Twice: 3 x 3 convolution without bias, norm, ReLU."""

    def __init__(self, channels: tuple[int, int, int], *, norm: Norm, demodulate: bool) -> None:
        super().__init__()
        first, middle, last = channels
        self.inner = NormedConv2d(
            first, middle, norm=normalization(norm, middle), demodulate=demodulate
        )
        self.outer = NormedConv2d(
            middle, last, norm=normalization(norm, last), demodulate=demodulate
        )

    def begin(self, x: Tensor) -> Tensor:
        """Map (n, first, h, w) to (n, middle, h, w), which `finish` takes."""
        return functional.relu_(self.inner(x))

    def finish(self, x: Tensor) -> Tensor:
        """Map (n, middle, h, w) to (n, last, h, w)."""
        return functional.relu_(self.outer(x))

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on, once statistics are fixed."""
        return self.inner.needs(self.outer.needs(span))


class Up(nn.Module):
    """Upsample by two, narrow to half the channels, join the skip, then a block."""

    def __init__(
        self, below: int, skip: int, *, norm: Norm, upsampling: Upsampling, demodulate: bool
    ) -> None:
        super().__init__()
        self.upsample = DySample(below) if upsampling == "dynamic" else Bilinear()
        deform = upsampling == "deformable"
        self.narrow = (DeformableConv2d if deform else PlainConv2d)(below, below // 2)
        joined = skip + below // 2
        self.block = Block((joined, joined // 2, skip), norm=norm, demodulate=demodulate)

    def enlarge(self, x: Tensor) -> Tensor:
        """Map (n, below, h, w) to (n, below / 2, 2h, 2w)."""
        narrowed: Tensor = self.narrow(self.upsample(x))
        return narrowed

    def join(self, x: Tensor, skip: Tensor) -> Tensor:
        """What `enlarge` gives behind its skip (n, skip, 2h or 2h + 1, 2w or 2w + 1)."""
        missing = (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2])
        if any(missing):
            x = functional.pad(x, missing)
        return torch.cat([skip, x], dim=1)

    def needs_below(self, span: Span) -> Span:
        """Pixels of the map below that pixels of the joined map depend on."""
        return self.upsample.needs(self.narrow.needs(span))


class Head(nn.Sequential):
    """3 x 3 convolution, ReLU, 1 x 1 convolution with bias; no activation at the end."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            PlainConv2d(channels_in, channels_in),
            nn.ReLU(inplace=True),
            PlainConv2d(channels_in, channels_out, 1, bias=True),
        )

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        return span.grow(1)


class UNet(nn.Module):
    """A U-Net of ``len(settings.widths)`` levels for images of any size.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels of the input and of the output.
    settings : NetworkSettings
        Widths, norm, upsampling, demodulation.

    Raises
    ------
    SettingsError
        If a width after the first is odd, or not a multiple of four with
        dynamic upsampling.
    """

    def __init__(self, channels_in: int, channels_out: int, settings: NetworkSettings) -> None:
        super().__init__()
        widths, norm, demodulate = settings.widths, settings.norm, settings.demodulate
        if any(width % 2 for width in widths[1:]):
            raise SettingsError(
                f"network.widths: widths after the first must be even (got {list(widths)}): "
                "each is halved on the way up"
            )
        self.stride = 2 ** (len(widths) - 1)
        self.first = Block((channels_in, widths[0], widths[0]), norm=norm, demodulate=demodulate)
        steps = list(pairwise(widths))
        self.downs = nn.ModuleList(
            Block((above, below, below), norm=norm, demodulate=demodulate) for above, below in steps
        )
        self.ups = nn.ModuleList(
            Up(below, above, norm=norm, upsampling=settings.upsampling, demodulate=demodulate)
            for above, below in reversed(steps)
        )
        self.head = Head(widths[0], channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels_in, h, w) to (n, channels_out, h, w), any h and w from 1."""
        height, width = x.shape[2:]
        missing = (0, max(0, self.stride - width), 0, max(0, self.stride - height))
        if any(missing):
            x = functional.pad(x, missing)
        # One step a line: each frees the map before it, and a tile can be twice as large.
        x = self.first.begin(x)
        x = self.first.finish(x)
        skips = []
        for down in cast("list[Block]", self.downs):
            skips.append(x)
            x = _pool(x)
            x = down.begin(x)
            x = down.finish(x)
        for up in cast("list[Up]", self.ups):
            x = up.enlarge(x)
            x = up.join(x, skips.pop())
            x = up.block.begin(x)
            x = up.block.finish(x)
        mapped: Tensor = self.head(x)
        return mapped[:, :, :height, :width] if any(missing) else mapped

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on, once statistics are fixed."""
        span = self.head.needs(span)
        needed = []
        for up in cast("list[Up]", list(self.ups)[::-1]):
            span = up.block.needs(span)
            needed.append(span)
            span = up.needs_below(span)
        for down in cast("list[Block]", list(self.downs)[::-1]):
            span = down.needs(span).before_pooling(2).join(needed.pop())
        return self.first.needs(span)


def _pool(x: Tensor) -> Tensor:
    """Maxima of 2 x 2 pixels; a last odd row or column is left out."""
    if x.is_cuda and torch.are_deterministic_algorithms_enabled():
        return maxima(x)  # the gradient of max_pool2d is refused there
    return functional.max_pool2d(x, 2)


def maxima(x: Tensor) -> Tensor:
    """The same as max-pooling by two; its gradient is shared between equal pixels."""
    n, channels, height, width = x.shape
    whole = x[:, :, : height // 2 * 2, : width // 2 * 2]
    return whole.reshape(n, channels, height // 2, 2, width // 2, 2).amax(dim=(3, 5))
