"""Chain: the layers that rivals' networks are made of, each of which knows what it reads.

Reflection and zeros belong to an image's true edges.  A tile is continued in
the same way where its halo ends; that changes only what nobody keeps.
"""

from __future__ import annotations

from typing import Protocol, cast

from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.networks.convolution import channels_last, convolve
from stable_tiles.networks.reach import Span
from stable_tiles.networks.statistics import InstanceNorm

POINTWISE = (nn.InstanceNorm2d, nn.ReLU, nn.LeakyReLU, nn.Tanh)
"""Layers that look at no other pixel, once statistics are given."""


class Looks(Protocol):
    """A layer that knows what it reads."""

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""


class Chain(nn.Sequential):
    """Layers one after the other."""

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        for layer in reversed(list(self)):
            if not isinstance(layer, POINTWISE):
                span = cast(Looks, layer).needs(span)
        return span


class Conv(nn.Conv2d):
    """A convolution with bias that keeps the size, or halves it with `stride` 2.

    Parameters
    ----------
    channels_in, channels_out, kernel : int
        A kernel of 4 goes with stride 2 only.
    stride : int
        1 or 2.
    edge : str
        How the image is continued: ``reflect`` or ``zeros``.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        edge: str = "reflect",
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, stride)
        self.margin = (kernel - 1) // 2
        self.edge = edge

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in, h, w) to (n, out, h / stride, w / stride)."""
        margin = self.margin
        if self.edge == "reflect" and margin:
            x = functional.pad(x, (margin,) * 4, mode="reflect")
            margin = 0
        stride, padding = self.stride[0], (margin, margin)
        if self.training:
            return functional.conv2d(channels_last(x), self.weight, self.bias, stride, padding)
        return convolve(x, self.weight, self.bias, padding, stride)

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        step, taps = self.stride[0], self.kernel_size[0]
        first = span.first * step - self.margin
        return Span(first, span.last * step - self.margin + taps - 1)


class TransposedConv(nn.ConvTranspose2d):
    """A transposed convolution of stride 2 that doubles the size; kernel 3 or 4, with bias.

    Outside training it is computed as four convolutions, one for each place of
    an output pixel in its block of 2 x 2: these have the same bits in any tile.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(
            channels_in, channels_out, kernel, stride=2, padding=1, output_padding=kernel % 2
        )

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (n, in, h, w) to (n, out, 2 h, 2 w)."""
        if self.training or x.device.type != "cpu":
            return super().forward(channels_last(x))
        n, _, height, width = x.shape
        x = functional.pad(x, (1, 1, 1, 1))
        made: Tensor | None = None
        for row in range(2):
            for column in range(2):
                (taps_y, y), (taps_x, left) = self._taps(row), self._taps(column)
                seen = x[:, :, y : y + height + len(taps_y) - 1]
                seen = seen[:, :, :, left : left + width + len(taps_x) - 1]
                weight = self.weight[:, :, taps_y][:, :, :, taps_x].transpose(0, 1)
                part = convolve(seen, weight, self.bias, (0, 0))
                if made is None:
                    made = channels_last(part.new_empty(n, part.shape[1], 2 * height, 2 * width))
                made[:, :, row::2, column::2] = part
        assert made is not None  # four parts were made
        return made

    def _taps(self, place: int) -> tuple[list[int], int]:
        """Taps that reach pixel `place` (0, 1) of a block, and where they begin in the pad."""
        taps = [k for k in range(self.kernel_size[0]) if (place + 1 - k) % 2 == 0]
        taps.reverse()
        return taps, 1 + (place + 1 - taps[0]) // 2

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        taps = self.kernel_size[0]
        return Span(-(-(span.first + 2 - taps) // 2), (span.last + 1) // 2)


class BlurPool(nn.Module):
    """Halves the size behind the low-pass filter (1, 2, 1) / 4, edges reflected.

    Zhang, Making convolutional networks shift-invariant again, ICML 2019.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c, ceil(h / 2), ceil(w / 2))."""
        x = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        last = x.shape[2] - 1, x.shape[3] - 1
        x = 0.5 * x[:, :, 1 : last[0] : 2] + 0.25 * (
            x[:, :, 0 : last[0] - 1 : 2] + x[:, :, 2 : last[0] + 1 : 2]
        )
        return 0.5 * x[:, :, :, 1 : last[1] : 2] + 0.25 * (
            x[:, :, :, 0 : last[1] - 1 : 2] + x[:, :, :, 2 : last[1] + 1 : 2]
        )

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        return Span(2 * span.first - 1, 2 * span.last + 1)


class Nearest(nn.Module):
    """Doubles the size; every pixel becomes four."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c, 2 h, 2 w)."""
        return functional.interpolate(x, scale_factor=2, mode="nearest")

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        return Span(span.first // 2, span.last // 2)


class Residual(nn.Module):
    """Adds to a map what two 3 x 3 convolutions with instance norms make of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = Chain(
            Conv(channels, channels), norm(channels), nn.ReLU(inplace=True),
            Conv(channels, channels), norm(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same size."""
        changed: Tensor = self.change(x)
        return x + changed

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        return self.change.needs(span)


def shrinking(channels: int, width: int) -> list[nn.Module]:
    """Layers to a quarter of the size and 4 `width` channels, low-pass filtered on the way."""
    layers: list[nn.Module] = [Conv(channels, width, 7), norm(width), nn.ReLU(inplace=True)]
    for wide in (width, 2 * width):
        layers += [Conv(wide, 2 * wide), norm(2 * wide), nn.ReLU(inplace=True), BlurPool()]
    return layers


def norm(channels: int) -> InstanceNorm:
    """An instance norm whose running statistics are measured when a network is settled."""
    return InstanceNorm(channels, tracks=False)


def continued(x: Tensor, multiple: int, least: int) -> Tensor:
    """The images with their last row and column repeated: sides become multiples of `multiple`.

    They are at least `least` pixels.
    """
    bottom, right = (
        max(least, -(-size // multiple) * multiple) - size for size in (x.shape[2], x.shape[3])
    )
    if not (bottom or right):
        return x
    return functional.pad(x, (0, right, 0, bottom), mode="replicate")


def initialize(network: nn.Module, how: str) -> None:
    """Draw all weights anew: ``normal`` N(0, 0.02), ``xavier`` (gain 0.02) or ``kaiming``."""
    for layer in network.modules():
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            continue
        if how == "normal":
            nn.init.normal_(layer.weight, std=0.02)
        elif how == "xavier":
            nn.init.xavier_normal_(layer.weight, gain=0.02)
        else:
            nn.init.kaiming_normal_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
