"""Convolutions whose result for a pixel has the same bits in any tile and with any threads.

This module owns one hard idea: on CPUs torch chooses among algorithms by the
size of the image, the number of threads and the strides, and they round
differently.  Outside training oneDNN is asked directly, channels last, which
rounds alike for every size.  Nobody else needs to know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.networks.reach import Span
from stable_tiles.networks.statistics import fixed_affine

EPSILON = 1e-8
"""Added to the squared norm of a filter before its root is taken."""


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: tuple[int, int],
    stride: int = 1,
    dilation: int = 1,
) -> Tensor:
    """Convolve; on CPUs with equal bits whatever the image's size.

    Parameters
    ----------
    x : Tensor, (n, in, h, w)
    weight : Tensor, (out, in, kernel, kernel)
    bias : Tensor or None, (out,)
    padding : (int, int)
        Rows and columns of zeros on every side.
    stride : int
        Pixels between results.
    dilation : int
        Pixels from tap to tap; above 1 the size is kept and the stride 1.

    Returns
    -------
    Tensor, (n, out, h', w'), channels-last in memory
    """
    known = torch._C._has_mkldnn and x.dtype in {torch.float32, torch.bfloat16}
    if x.device.type != "cpu" or not known:
        return functional.conv2d(x, weight, bias, stride, padding, dilation)
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        x, weight = x.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    if dilation > 1:
        return _in_phases(x, weight, bias, dilation)
    return torch.mkldnn_convolution(
        channels_last(x), channels_last(weight), bias, padding, (stride, stride), (1, 1), 1
    )


def _in_phases(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    """A dilated convolution that keeps the size, as plain ones of every n-th pixel.

    oneDNN rounds dilated convolutions unlike for images of another width.
    """
    (n, channels, height, width), (out, _, kernel, _) = x.shape, weight.shape
    padded = functional.pad(x, (0, -width % dilation, 0, -height % dilation))
    rows, columns = (side // dilation for side in padded.shape[2:])
    apart = padded.reshape(n, channels, rows, dilation, columns, dilation)
    # Channels last there and back: what comes before and behind lies so, and is not copied again.
    phases = apart.permute(0, 3, 5, 2, 4, 1).reshape(-1, rows, columns, channels)
    made = convolve(phases.permute(0, 3, 1, 2), weight, bias, (kernel // 2, kernel // 2))
    joined = made.permute(0, 2, 3, 1).reshape(n, dilation, dilation, rows, columns, out)
    whole = joined.permute(0, 3, 1, 4, 2, 5).reshape(n, rows * dilation, columns * dilation, out)
    return whole[:, :height, :width].permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    """The tensor (n, c, h, w) with channels last in memory, the faster layout.

    Holds for one channel too, where torch sees no difference but oneDNN does.
    """
    if x.shape[1] > 1:
        return x.contiguous(memory_format=torch.channels_last)
    return x.contiguous().squeeze(1).unsqueeze(-1).permute(0, 3, 1, 2)


class PlainConv2d(nn.Conv2d):
    """A convolution of stride 1 that keeps the size; without bias unless asked for."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int = 3, *, bias: bool = False
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2, bias=bias)
        self.margin = (kernel // 2, kernel // 2)

    def filters(self) -> Tensor:
        """The weight that convolves, (out, in, kernel, kernel)."""
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in, h, w) to (n, out, h, w)."""
        if self.training:
            return functional.conv2d(
                channels_last(x), self.filters(), self.bias, padding=self.margin
            )
        return convolve(x, self.filters(), self.bias, self.margin)

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        return span.grow(self.margin[0])


class DemodulatedConv2d(PlainConv2d):
    """Convolution whose filters have norm one: w / sqrt(sum w^2 + 1e-8), no bias.

    The sum runs over input channels and taps, for each output channel;
    weights start as N(0, 1).
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        super().__init__(channels_in, channels_out, kernel)
        nn.init.normal_(self.weight)
        self._kept: Tensor | None = None

    def filters(self) -> Tensor:
        """The demodulated weight, (out, in, kernel, kernel)."""
        return self._demodulated() if self._kept is None else self._kept

    def keep(self, *, kept: bool) -> None:
        """Keep the filters of this moment, or compute them each time again."""
        self._kept = self._demodulated() if kept else None

    def _demodulated(self) -> Tensor:
        squares = self.weight.square().sum(dim=(1, 2, 3), keepdim=True)
        return self.weight * torch.rsqrt(squares + EPSILON)


@contextmanager
def filters_once(network: nn.Module) -> Iterator[None]:
    """Within, demodulated filters are computed once, however often the network is called."""
    layers = [layer for layer in network.modules() if isinstance(layer, DemodulatedConv2d)]
    try:
        for layer in layers:
            layer.keep(kept=True)
        yield
    finally:
        for layer in layers:
            layer.keep(kept=False)


class NormedConv2d(nn.Module):
    """A 3 x 3 convolution without bias, then its norm.

    Outside training fixed statistics become part of the filters.
    """

    def __init__(
        self, channels_in: int, channels_out: int, *, norm: nn.Module, demodulate: bool
    ) -> None:
        super().__init__()
        kind = DemodulatedConv2d if demodulate else PlainConv2d
        self.conv = kind(channels_in, channels_out)
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, h, w)."""
        conv, fixed = self.conv, fixed_affine(self.norm)
        if fixed is None:
            normalized: Tensor = self.norm(conv(x))
            return normalized
        scale, shift = fixed
        return convolve(x, conv.filters() * scale.view(-1, 1, 1, 1), shift, conv.margin)

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on, once statistics are fixed."""
        return self.conv.needs(span)
