"""Layers of the networks: norms, upsampling by two, and the deformable convolution."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.errors import SettingsError
from stable_tiles.networks.convolution import PlainConv2d, convolve
from stable_tiles.networks.reach import Span
from stable_tiles.networks.sampling import sample, sample_for_training
from stable_tiles.networks.statistics import InstanceNorm
from stable_tiles.networks.upsampling import upsample_for_training

Norm = Literal["batch", "none", "instance"]
Upsampling = Literal["dynamic", "bilinear", "deformable"]

GROUPS = 4
"""Groups of channels that dynamic upsampling displaces apart from each other."""


def normalization(kind: Norm, channels: int) -> nn.Module:
    """The norm layer of that kind: batch (momentum 0.1), `InstanceNorm` or nothing."""
    if kind == "batch":
        return nn.BatchNorm2d(channels, momentum=0.1)
    if kind == "instance":
        return InstanceNorm(channels)
    return nn.Identity()


def _begin(layer: nn.Conv2d, deviation: float) -> None:
    nn.init.normal_(layer.weight, std=deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class DySample(nn.Module):
    """Dynamic upsampling by two: bilinear sampling at learned positions.

    Every output pixel samples its own position displaced by
    ``0.25 * conv1x1(x)``, for each of four groups of channels, borders
    clamped.  Outside training displacements are clamped to `bound` (input
    pixels), so that the reach is finite; 0.25 costs no more reach than
    bilinear upsampling and is the bound of a network that was not measured.

    Raises
    ------
    SettingsError
        If `channels` is not a multiple of four.

    References
    ----------
    Liu et al., Learning to Upsample by Learning to Sample, ICCV 2023 (style "lp").
    """

    start: Tensor
    bound: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % GROUPS:
            raise SettingsError(
                f"network.widths: dynamic upsampling splits channels into {GROUPS} groups, so "
                f"widths after the first must be multiples of {GROUPS} (got {channels}): "
                "change them or set network.upsampling to bilinear"
            )
        self.offset = PlainConv2d(channels, 2 * GROUPS * 4, 1, bias=True)
        _begin(self.offset, deviation=0.001)
        sides = torch.tensor([-0.25, 0.25])
        start = torch.stack(torch.meshgrid(sides, sides, indexing="xy"))
        self.register_buffer("start", start.view(1, 2, 1, 2, 2, 1, 1), persistent=False)
        self.register_buffer("bound", torch.tensor(0.25))

    def learned(self, x: Tensor) -> Tensor:
        """Learned displacements (n, 2, group, 2, 2, h, w) in float32, input pixels."""
        moved: Tensor = 0.25 * self.offset(x)
        return moved.view(x.shape[0], 2, GROUPS, 2, 2, *x.shape[2:])

    def set_bound(self, largest: float) -> None:
        """Set the bound to the first of 0.25, 0.75, 1.25, ... that `largest` does not exceed.

        These are the bounds at which a sample reaches a further pixel.
        """
        self.bound.fill_(max(1, math.ceil(2 * largest + 0.5)) / 2 - 0.25)

    def forward(self, x: Tensor) -> Tensor:
        """Upsample (n, c, h, w) to (n, c, 2h, 2w)."""
        with torch.autocast(x.device.type, enabled=False):
            if self.training:
                return upsample_for_training(x, self.offset.weight, self._bias, self.start, 0.25)
            source = x.float()
            moved = torch.clamp(self.learned(source), -self.bound, self.bound).add_(self.start)
            return sample(source, moved).to(x.dtype)

    @property
    def _bias(self) -> Tensor:
        if self.offset.bias is None:
            raise ValueError("dynamic upsampling displaces with a bias")
        return self.offset.bias

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        return span.before_upsampling(2, float(self.bound))


class Bilinear(nn.Module):
    """Bilinear upsampling by two, pixel centres kept: dynamic upsampling frozen at zero."""

    def forward(self, x: Tensor) -> Tensor:
        """Upsample (n, c, h, w) to (n, c, 2h, 2w)."""
        return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        return span.before_upsampling(2)


class DeformableConv2d(nn.Module):
    """A 3 x 3 convolution whose nine taps move by learned displacements, borders clamped.

    Displacements are ``conv3x3(x)`` and start at zero.  Outside training they
    are clamped to `bound` pixels, 1 for a network that was not measured.

    References
    ----------
    Dai et al., Deformable Convolutional Networks, ICCV 2017.
    """

    start: Tensor
    bound: Tensor

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.offset = PlainConv2d(channels_in, 2 * 9, bias=True)
        _begin(self.offset, deviation=0.0)
        self.mix = nn.Conv2d(channels_in, channels_out, (1, 9), stride=(1, 9), bias=False)
        taps = torch.tensor([-1.0, 0.0, 1.0])
        start = torch.stack(torch.meshgrid(taps, taps, indexing="xy"))
        self.register_buffer("start", start.view(1, 2, 1, 1, 9, 1, 1), persistent=False)
        self.register_buffer("bound", torch.tensor(1.0))

    def learned(self, x: Tensor) -> Tensor:
        """Learned displacements (n, 2, 1, 1, 9, h, w) in float32, pixels."""
        moved: Tensor = self.offset(x)
        return moved.view(x.shape[0], 2, 1, 1, 9, *x.shape[2:])

    def set_bound(self, largest: float) -> None:
        """Set the bound to the first whole number from 1 that `largest` does not exceed."""
        self.bound.fill_(max(1, math.ceil(largest)))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in, h, w) to (n, out, h, w)."""
        with torch.autocast(x.device.type, enabled=False):
            source = x.float()
            moved = self.learned(source)
            if self.training:
                taps = sample_for_training(source, moved + self.start)
            else:
                taps = sample(source, torch.clamp(moved, -self.bound, self.bound) + self.start)
        if self.training:
            mixed: Tensor = self.mix(taps.to(x.dtype))
            return mixed
        # the nine taps of a pixel as channels: a kernel of 1 has equal bits in any tile
        n, channels, height, width = x.shape
        joined = taps.to(x.dtype).permute(0, 2, 3, 1).reshape(n, height, width, 9 * channels)
        filters = self.mix.weight.permute(0, 3, 1, 2).reshape(-1, 9 * channels, 1, 1)
        return convolve(joined.permute(0, 3, 1, 2), filters, None, (0, 0))

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on."""
        return span.grow(1 + math.ceil(float(self.bound)))
