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
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stable_tiles.region import Region

Doubles = npt.NDArray[np.float64]

MOMENTUM = 0.01
"""Share of a new batch in the running statistics, once a hundred batches were seen."""

_STRIP = 1 << 18
"""Values of a map that are summed, or normalised by interpolation, at a time."""


class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm (no weights) that gathers running statistics in training.

    Outside training it uses the image's own statistics, as it was trained,
    unless a rule gives others (`ruled`), or `frozen` is set: then it uses the
    running ones, and depends on no other pixel.  The running mean and variance
    are those of a typical patch: averages over all patches seen, later ones
    weighing 1 % each.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels, track_running_stats=True)
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
            self._track(x)
        elif self.frozen:
            return normalized(x, self.running_mean, self.running_var, self.eps)
        elif self.rule is not None:
            return self.rule(x)
        return torch.instance_norm(
            x, None, None, None, None, True, 0.0, self.eps, torch.backends.cudnn.enabled
        )

    @torch.no_grad()
    def _track(self, x: Tensor) -> None:
        variance, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0)
        self.num_batches_tracked.add_(1)
        weight = torch.clamp(1 / self.num_batches_tracked, min=MOMENTUM)
        self.running_mean.lerp_(mean.mean(dim=0), weight)
        self.running_var.lerp_(variance.mean(dim=0), weight)


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of every channel of images, (n, c) each.

    Values that are not finite do not count.
    """

    pixels: Doubles
    mean: Doubles
    squares: Doubles

    @classmethod
    def of(cls, x: Tensor) -> Moments:
        """The moments of maps (n, c, h, w), in float64.

        Sums run in one order whatever the number of threads.
        """
        maps = x.detach().float().permute(0, 2, 3, 1).cpu().numpy()
        n, height, width, channels = maps.shape
        empty = np.zeros((n, channels))
        total, rows = cls(empty, empty, empty), max(1, _STRIP // (width * channels))
        for top in range(0, height, rows):
            strip = maps[:, top : top + rows].reshape(n, -1, channels).astype(np.float64)
            total = total.merge(_strip_moments(strip))
        return total

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of pixels together.

        Chan, Golub & LeVeque, Algorithms for computing the sample variance, 1983.
        """
        pixels = self.pixels + other.pixels
        share = np.divide(other.pixels, pixels, out=np.zeros_like(pixels), where=pixels > 0)
        apart = other.mean - self.mean
        squares = self.squares + other.squares + apart**2 * self.pixels * share
        return Moments(pixels, self.mean + apart * share, squares)

    @property
    def variance(self) -> Doubles:
        """The variance (n, c), divided by the count; 0 without pixels."""
        return self.squares / np.maximum(self.pixels, 1)


def _strip_moments(strip: Doubles) -> Moments:
    """The moments of values (n, pixels, c)."""
    count = np.full((strip.shape[0], strip.shape[2]), float(strip.shape[1]))
    total = strip.sum(axis=1)
    if np.isfinite(total).all():
        mean = total / count
        return Moments(count, mean, np.square(strip - mean[:, None]).sum(axis=1))
    finite = np.isfinite(strip)
    count = finite.sum(axis=1).astype(np.float64)
    mean = np.where(finite, strip, 0).sum(axis=1) / np.maximum(count, 1)
    deviations = np.where(finite, strip - mean[:, None], 0)
    return Moments(count, mean, np.square(deviations).sum(axis=1))


@dataclass(frozen=True)
class Table:
    """Mean and variance of one norm layer in every cell of a grid over planes.

    Parameters
    ----------
    mean, variance : array, (n, rows, columns, c)
        For `n` planes; one row and one column where the whole plane is one cell.
    """

    mean: npt.NDArray[np.floating]
    variance: npt.NDArray[np.floating]


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

    def normalize(self, name: str, x: Tensor, area: Region, eps: float) -> Tensor:
        """The map (n, c, h, w) of a layer, where the tile is the box `area` of the plane."""
        table = self.tables[name]
        if len(self.rows) == len(self.columns) == 1:
            mean, variance = (
                torch.from_numpy(values[:, 0, 0].astype(np.float64)).to(x.device, torch.float64)
                for values in (table.mean, table.variance)
            )
            return normalized(x, mean, variance, eps)
        scale = _scale(x, area)
        places = [
            _between(start, scale, size, centres, x.device)
            for start, size, centres in zip(
                area.start, x.shape[2:], (self.rows, self.columns), strict=True
            )
        ]
        fields = [
            torch.from_numpy(np.asarray(values, np.float32)).to(x.device)
            for values in (table.mean, table.variance)
        ]
        made = torch.empty_like(x)
        rows = max(1, _STRIP // (x.shape[1] * x.shape[3]))
        for top in range(0, x.shape[2], rows):
            strip = slice(top, top + rows)
            (y, x_place) = (places[0].part(strip), places[1])
            mean, variance = (_field(values, y, x_place) for values in fields)
            made[:, :, strip] = (x[:, :, strip] - mean) / torch.sqrt(variance + eps)
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

    def normalize(self, name: str, x: Tensor, area: Region, eps: float) -> Tensor:
        """As `Given.normalize`, or the layer's moments are kept in `found`."""
        if name in self._known.tables:
            return self._known.normalize(name, x, area, eps)
        part = x
        if self._core != area:
            scale = _scale(x, area)
            rows, columns = (
                slice((start - first) // scale, size if stop == end else (stop - first) // scale)
                for start, stop, first, end, size in zip(
                    self._core.start, self._core.stop, area.start, area.stop, x.shape[2:],
                    strict=True,
                )
            )  # fmt: skip
            part = x[:, :, rows, columns]
        moments = self.found[name] = Moments.of(part)
        if not self._at_once:
            raise Enough
        mean, variance = (
            torch.from_numpy(values).to(x.device) for values in (moments.mean, moments.variance)
        )
        return normalized(x, mean, variance, eps)


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
def ruled(network: nn.Module, rule: Given | Gather, area: Region) -> Iterator[None]:
    """Let a rule normalise in all instance norms, for a tile that is the box `area` (y, x)."""
    layers = instance_norms(network)
    for name, layer in layers.items():
        layer.rule = partial(_apply, rule, name, area, layer.eps)
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


def _apply(rule: Given | Gather, name: str, area: Region, eps: float, x: Tensor) -> Tensor:
    return rule.normalize(name, x, area, eps)


def _scale(x: Tensor, area: Region) -> int:
    """Pixels of the plane for each of the map's along an axis: 1, 2, 4, ..."""
    return int(2 ** max(0, round(log2(area.shape[0] / x.shape[2]))))


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
