"""Instance norm whose statistics can be the image's own, those of a larger plane, or fixed.

This module owns one hard idea: an instance norm divides by statistics that a
tile does not have.  They are gathered in passes over the tiles of a plane
(`Gather`), and given to later passes over the same tiles (`Given`), which then
are as local as a network of convolutions.  Networks need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import log2

import numpy as np
import torch
from torch import Tensor, nn

from stable_tiles.networks.moments import STRIP, Floats, Moments, Table, joined
from stable_tiles.region import Region

MOMENTUM = 0.01
"""Share of a new batch in the running statistics, once a hundred batches were seen."""


class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm (no weights) that gathers running statistics in training.

    Outside training it uses the image's own statistics, as it was trained,
    unless a rule gives others (`ruled`), or `frozen` is set: then it uses the
    running ones, and depends on no other pixel.  The running mean and variance
    are those of a typical patch: averages over all patches seen, later ones
    weighing 1 % each.

    Parameters
    ----------
    channels : int
        Channels of the map.
    tracks : bool
        Whether every pass in training counts; else only those within `tracked`.
    """

    is_joint = False
    """Whether all channels share one mean and one variance."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, channels: int, *, tracks: bool = True) -> None:
        super().__init__(channels, track_running_stats=True)
        self.tracks = tracks
        self.frozen = False
        self.rule: Callable[[Tensor], Tensor] | None = None

    @property
    def holds_statistics(self) -> bool:
        """Whether running statistics were gathered or given."""
        return int(self.num_batches_tracked) > 0

    @torch.no_grad()
    def fix(self, mean: Tensor, variance: Tensor) -> None:
        """Give the running statistics, (c,) each."""
        self.running_mean.copy_(mean)
        self.running_var.copy_(variance)
        self.num_batches_tracked.fill_(1)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, c, h, w)."""
        if self.training:
            if self.tracks:
                self._track(x)
        elif self.frozen:
            return self._fixed(x)
        elif self.rule is not None:
            return self.rule(x)
        return self._own(x)

    def _own(self, x: Tensor) -> Tensor:
        """Normalised by the image's own statistics."""
        return torch.instance_norm(
            x, None, None, None, None, True, 0.0, self.eps, torch.backends.cudnn.enabled
        )

    def _fixed(self, x: Tensor) -> Tensor:
        """Normalised by the running statistics."""
        return normalized(x, self.running_mean, self.running_var, self.eps)

    @torch.no_grad()
    def _track(self, x: Tensor) -> None:
        variance, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0)
        self.num_batches_tracked.add_(1)
        weight = torch.clamp(1 / self.num_batches_tracked, min=MOMENTUM)
        self.running_mean.lerp_(mean.mean(dim=0), weight)
        self.running_var.lerp_(variance.mean(dim=0), weight)


class LayerNorm(InstanceNorm):
    """The same with one mean and one variance for all channels, then a learned scale and shift.

    Statistics are kept by channel, as those of instance norms, and joined
    where they are used.  A constant map becomes the shift, with finite gradients.

    References
    ----------
    Ba et al., Layer normalization, 2016.
    """

    is_joint = True

    def __init__(self, channels: int, *, tracks: bool = True) -> None:
        super().__init__(channels, tracks=tracks)
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, scale and shift (n, c, h, w)."""
        made = super().forward(x)
        shape = (1, -1, 1, 1)
        return made * self.scale.view(shape).to(x.dtype) + self.shift.view(shape).to(x.dtype)

    def _own(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x.float(), dim=(1, 2, 3), correction=0, keepdim=True)
        return ((x.float() - mean) * torch.rsqrt(variance + self.eps)).to(x.dtype)

    def _fixed(self, x: Tensor) -> Tensor:
        mean, variance = (
            torch.from_numpy(values)
            for values in joined(
                self.running_mean.double().cpu().numpy(), self.running_var.double().cpu().numpy()
            )
        )
        return normalized(x, mean.to(x.device), variance.to(x.device), self.eps)


@dataclass(frozen=True)
class NormLayer:
    """What a rule needs to know of a norm layer.

    Parameters
    ----------
    name : str
        In its network.
    eps : float
        Added to variances.
    is_joint : bool
        Whether all channels share one mean and one variance.
    multiple : int
        The network continues planes to sides that are multiples of this.
    """

    name: str
    eps: float
    is_joint: bool = False
    multiple: int = 1

    def share(self, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Statistics (..., c) by channel as this layer uses them."""
        return joined(mean, variance) if self.is_joint else (mean, variance)

    def scale(self, x: Tensor, area: Region) -> int:
        """Pixels of the plane for each of the map's along an axis: 1, 2, 4, ..."""
        rows = -(-area.shape[0] // self.multiple) * self.multiple
        return int(2 ** max(0, round(log2(rows / x.shape[2]))))


@dataclass(frozen=True)
class Given:
    """Statistics for the norm layers of a network, of planes that are cut into cells.

    Between the cells' centres mean and variance are interpolated bilinearly,
    beyond the outermost they stay the same: neighbouring tiles agree at every
    pixel.  With one cell they are constants.

    Parameters
    ----------
    tables : mapping of str to Table
        By the name of the layer in its network.
    rows, columns : sequence of float
        Centres of the cells, pixels of the plane, ascending.

    References
    ----------
    Ho et al., Ultra-high-resolution unpaired stain transformation via
    kernelized instance normalization, ECCV 2022; Ho et al., Every pixel has
    its moments, ECCV 2024.
    """

    tables: Mapping[str, Table]
    rows: Sequence[float]
    columns: Sequence[float]

    def normalize(self, layer: NormLayer, x: Tensor, area: Region) -> Tensor:
        """The map (n, c, h, w) of a layer, where the tile is the box `area` of the plane."""
        table = self.tables[layer.name]
        shared = layer.share(table.mean, table.variance)
        if len(self.rows) == len(self.columns) == 1:
            mean, variance = (
                torch.from_numpy(values[:, 0, 0].astype(np.float64)).to(x.device, torch.float64)
                for values in shared
            )
            return normalized(x, mean, variance, layer.eps)
        scale = layer.scale(x, area)
        places = [
            _between(start, scale, size, centres, x.device)
            for start, size, centres in zip(
                area.start, x.shape[2:], (self.rows, self.columns), strict=True
            )
        ]
        fields = [
            torch.from_numpy(np.asarray(values, np.float32)).to(x.device) for values in shared
        ]
        made = torch.empty_like(x)
        rows = max(1, STRIP // (x.shape[1] * x.shape[3]))
        for top in range(0, x.shape[2], rows):
            strip = slice(top, top + rows)
            (y, x_place) = (places[0].part(strip), places[1])
            mean, variance = (_field(values, y, x_place) for values in fields)
            made[:, :, strip] = (x[:, :, strip] - mean) / torch.sqrt(variance + layer.eps)
        return made


class Enough(Exception):
    """A pass has gathered what it was for."""


class Gather:
    """A pass that gathers statistics of norm layers over a part of each tile.

    Parameters
    ----------
    known : Given
        Statistics of layers that are known already.
    core : Region
        The part (y, x) of a tile that counts; the rest is halo.
    at_once : bool
        Whether every layer goes on with what this tile alone has shown; else
        the pass ends with `Enough` at the first layer that is not known.
    """

    def __init__(self, known: Given, core: Region, *, at_once: bool) -> None:
        self.found: dict[str, Moments] = {}
        self._known, self._core, self._at_once = known, core, at_once

    def normalize(self, layer: NormLayer, x: Tensor, area: Region) -> Tensor:
        """As `Given.normalize`, or the layer's moments are kept in `found`."""
        if layer.name in self._known.tables:
            return self._known.normalize(layer, x, area)
        part = x
        if self._core != area:
            scale = layer.scale(x, area)
            rows, columns = (
                slice((start - first) // scale, size if stop == end else (stop - first) // scale)
                for start, stop, first, end, size in zip(
                    self._core.start, self._core.stop, area.start, area.stop, x.shape[2:],
                    strict=True,
                )
            )  # fmt: skip
            part = x[:, :, rows, columns]
        moments = self.found[layer.name] = Moments.of(part)
        if not self._at_once:
            raise Enough
        mean, variance = (
            torch.from_numpy(values).to(x.device)
            for values in layer.share(moments.mean, moments.variance)
        )
        return normalized(x, mean, variance, layer.eps)


def normalized(x: Tensor, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
    """``(x - mean) / sqrt(variance + eps)`` of (n, c, h, w), with statistics (c,) or (n, c).

    Two rounded operations a pixel, so its bits do not depend on the tile.
    """
    factor = torch.rsqrt(variance.double() + eps).float()
    center = mean.float()
    shape = (-1, x.shape[1], 1, 1)
    return (x - center.view(shape)).mul_(factor.view(shape)).to(x.dtype)


def instance_norms(network: nn.Module) -> dict[str, InstanceNorm]:
    """All instance norms of a network by their names."""
    return {
        name: module for name, module in network.named_modules() if isinstance(module, InstanceNorm)
    }


def freeze(network: nn.Module) -> None:
    """Let all instance norms use their running statistics from now on, outside training."""
    for layer in instance_norms(network).values():
        layer.frozen = True


@contextmanager
def tracked(network: nn.Module) -> Iterator[None]:
    """Within, all passes count, in training mode; running statistics begin anew."""
    layers, was_training = instance_norms(network).values(), network.training
    before = [layer.tracks for layer in layers]
    network.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.tracks = True
    try:
        yield
    finally:
        for layer, tracks in zip(layers, before, strict=True):
            layer.tracks = tracks
        network.train(was_training)


@contextmanager
def ruled(
    network: nn.Module, rule: Given | Gather, area: Region, multiple: int = 1
) -> Iterator[None]:
    """Let a rule normalise in all instance norms.

    Parameters
    ----------
    network : Module
    rule : Given or Gather
    area : Region
        The box (y, x) of the plane that the tile is.
    multiple : int
        The network continues planes to sides that are multiples of this.
    """
    layers = instance_norms(network)
    for name, layer in layers.items():
        known = NormLayer(name, layer.eps, layer.is_joint, multiple)
        layer.rule = partial(_apply, rule, known, area)
    try:
        yield
    finally:
        for layer in layers.values():
            layer.rule = None


def fixed_affine(norm: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Scale and shift (c,) of a norm whose statistics are fixed; None where they are not.

    Raises
    ------
    ValueError
        If a batch norm has no running statistics.
    """
    batch = isinstance(norm, nn.BatchNorm2d)
    frozen = isinstance(norm, InstanceNorm) and norm.frozen
    if norm.training or not (batch or frozen):
        return None
    assert isinstance(norm, nn.BatchNorm2d | InstanceNorm)  # as both flags say
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("batch norm without running statistics cannot translate")
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        scale = norm.weight * scale
    shift = -norm.running_mean * scale
    return scale, shift if norm.bias is None else norm.bias + shift


def _apply(rule: Given | Gather, layer: NormLayer, area: Region, x: Tensor) -> Tensor:
    return rule.normalize(layer, x, area)


@dataclass(frozen=True)
class _Places:
    """For every pixel of an axis the two centres around it, and how far it is from the first."""

    lower: Tensor
    upper: Tensor
    share: Tensor

    def part(self, strip: slice) -> _Places:
        return _Places(self.lower[strip], self.upper[strip], self.share[strip])


def _between(
    start: int, scale: int, size: int, centres: Sequence[float], device: torch.device
) -> _Places:
    position = start + (np.arange(size) + 0.5) * scale
    at = np.asarray(centres, np.float64)
    upper = np.clip(np.searchsorted(at, position), 1, max(1, len(at) - 1))
    lower = upper - 1
    upper = np.minimum(upper, len(at) - 1)
    gap = np.maximum(at[upper] - at[lower], 1)
    share = np.clip((position - at[lower]) / gap, 0, 1)
    return _Places(
        torch.from_numpy(lower).to(device),
        torch.from_numpy(upper).to(device),
        torch.from_numpy(share.astype(np.float32)).to(device),
    )


def _field(values: Tensor, y: _Places, x: _Places) -> Tensor:
    """Values (n, rows, columns, c) of cells as a field (n, c, h, w)."""
    share = y.share.view(1, -1, 1, 1)
    rows = values[:, y.lower] + (values[:, y.upper] - values[:, y.lower]) * share
    share = x.share.view(1, 1, -1, 1)
    whole = rows[:, :, x.lower] + (rows[:, :, x.upper] - rows[:, :, x.lower]) * share
    return whole.permute(0, 3, 1, 2)
