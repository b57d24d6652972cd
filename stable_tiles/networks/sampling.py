"""Bilinear sampling at displaced positions, without knowing where a tile lies.

This module owns one hard idea: a displacement is split into whole pixels and a
fraction *before* it meets the pixel's own index, so the float32 result does not
depend on the size or the origin of the tile.  Nobody else needs to know.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_POINTS = 1 << 17
"""Points sampled at a time, which keeps indices and weights in the cache."""


def sample(x: Tensor, displacement: Tensor) -> Tensor:
    """Values of `x` at displaced positions; equal bits whatever tile holds a pixel.

    Positions beyond the border take the border's value.

    Parameters
    ----------
    x : Tensor, (n, c, h, w), float32
        The map; its channels fall into `g` groups of neighbours.
    displacement : Tensor, (n, 2, g, a, b, h, w), float32
        For every pixel and group ``a x b`` displacements from the pixel's
        centre, x before y, in pixels.

    Returns
    -------
    Tensor, (n, c, h * a, w * b), channels-last in memory
    """
    n, channels, height, width = x.shape
    groups, a, b = displacement.shape[2:5]
    table = x.permute(0, 2, 3, 1).reshape(-1, channels // groups)
    ordered = displacement.permute(1, 0, 5, 3, 6, 4, 2)
    rows = max(1, _POINTS // (n * width * groups * a * b))
    whole = x.new_empty(n, height, a, width * b, channels)
    for top in range(0, height, rows):
        strip = _sample_rows(table, ordered[:, :, top : top + rows], top, height)
        whole[:, top : top + rows] = strip.view(n, -1, a, width * b, channels)
    return whole.view(n, height * a, width * b, channels).permute(0, 3, 1, 2)


def _sample_rows(table: Tensor, displacement: Tensor, top: int, height: int) -> Tensor:
    """Sample the rows from `top` on; displacement is (2, n, rows, a, w, b, g)."""
    _, n, rows, _, width, _, groups = displacement.shape
    moved = displacement.contiguous()
    whole = torch.floor(moved)
    x_weight, y_weight = moved - whole
    x_whole, y_whole = whole.to(torch.int32)

    def count(start: int, stop: int, step: int = 1) -> Tensor:
        return torch.arange(start, stop, step, dtype=torch.int32, device=table.device)

    left = x_whole + count(0, width).view(width, 1, 1)
    upper = y_whole + count(top, top + rows).view(rows, 1, 1, 1, 1)
    group = count(0, groups)
    image = (count(0, n) * height).view(n, 1, 1, 1, 1, 1)
    x_taps = [at.clamp(0, width - 1).mul_(groups).add_(group) for at in (left, left + 1)]
    y_taps = [at.clamp(0, height - 1).add_(image).mul_(width * groups) for at in (upper, upper + 1)]
    index = _interleave([y + x for y in y_taps for x in x_taps])
    weight = _interleave(
        [y * x for y in (1 - y_weight, y_weight) for x in (1 - x_weight, x_weight)]
    )
    return functional.embedding_bag(
        index.view(-1, 4), table, per_sample_weights=weight.view(-1, 4), mode="sum"
    )


def _interleave(parts: list[Tensor]) -> Tensor:
    """The parts along a new last axis, as `torch.stack` gives but several times as fast."""
    whole = parts[0].new_empty(*parts[0].shape, len(parts))
    for number, part in enumerate(parts):
        whole[..., number] = part
    return whole


def sample_for_training(x: Tensor, displacement: Tensor) -> Tensor:
    """The same as `sample` to float rounding, with the faster gradient.

    Positions are divided by the map's size here, so results depend on it in
    the last digits: not for tiles.  A displacement that is not finite makes
    the whole result NaN, so that a loss shows it.  Where deterministic
    algorithms are asked for on a GPU, the gradient is that of `sample`.
    """
    if x.is_cuda and torch.are_deterministic_algorithms_enabled():
        return sample(x, displacement)
    n, channels, height, width = x.shape
    groups, a, b = displacement.shape[2:5]
    column = torch.arange(width, dtype=torch.float32, device=x.device) * 2 + 1
    row = (torch.arange(height, dtype=torch.float32, device=x.device) * 2 + 1).view(-1, 1)
    grid_x = torch.add(column / width - 1, displacement[:, 0], alpha=2 / width)
    grid_y = torch.add(row / height - 1, displacement[:, 1], alpha=2 / height)
    grid = torch.stack([grid_x, grid_y], dim=-1).permute(0, 1, 4, 2, 5, 3, 6)
    sampled = functional.grid_sample(
        x.reshape(n * groups, channels // groups, height, width),
        # the CPU's backward pass crashes the process on NaN positions
        grid.reshape(n * groups, height * a, width * b, 2).nan_to_num(),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return sampled.view(n, channels, height * a, width * b) + 0 * displacement.detach().sum()
