"""Dynamic upsampling while training: one operation that knows its own gradient.

Positions are a 1 x 1 convolution of the map.  Its scale, its order and the
conversion to grid units are folded into the (few) weights, so that the (many)
positions are written once, in the order in which they are read.  Positions
and sampling stay in float32 whatever the map's dtype.  Nobody else needs to
know; `sampling` holds the same operation for tiles.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from stable_tiles.networks.sampling import sample

_BILINEAR, _BORDER = 0, 1
_TO_GRID, _FROM_GRID = (0, 3, 1, 4, 2), (0, 2, 4, 1, 3)


def upsample_for_training(
    x: Tensor, weight: Tensor, bias: Tensor, start: Tensor, step: float
) -> Tensor:
    """The map at twice the size, sampled at learned positions.

    Parameters
    ----------
    x : Tensor, (n, c, h, w), float32 or bfloat16
        The map; its channels fall into `g` groups of neighbours.
    weight : Tensor, (2 g 4, c, 1, 1), float32
        Of the displacements: x before y, group, row, column.
    bias : Tensor, (2 g 4,), float32
    start : Tensor, (1, 2, 1, 2, 2, 1, 1), float32
        Displacements where nothing is learned, pixels.
    step : float
        Pixels that an output of one displaces by.

    Returns
    -------
    Tensor, (n, c, 2 h, 2 w), the dtype of `x`, channels-last in memory

    Notes
    -----
    Positions that are not finite make the whole result NaN, so that a loss
    shows it.  Where deterministic algorithms are asked for on a GPU, the
    slower operation of `sampling` is used, which is one.
    """
    if x.is_cuda and torch.are_deterministic_algorithms_enabled():
        moved = step * functional.conv2d(x.float(), weight, bias)
        moved = moved.view(x.shape[0], 2, -1, 2, 2, *x.shape[2:])
        return sample(x.float(), moved + start).to(x.dtype)
    sampled: Tensor = _Upsample.apply(x, weight, bias, start, step)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return sampled


class _Upsample(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, start: Tensor, step: float
    ) -> Tensor:
        n, channels, height, width = x.shape
        groups = weight.shape[0] // 8
        scale = x.new_tensor([2 * step / width, 2 * step / height], dtype=torch.float32)
        begin = start.expand(1, 2, groups, 2, 2, 1, 1).reshape(2, -1) / step
        filters = _by_position(weight.view(2, -1, channels)) * scale.repeat(4 * groups).view(-1, 1)
        shift = _by_position((bias.view(2, -1) + begin).unsqueeze(-1)).view(-1)
        rows = _rows(x)
        moved = torch.addmm(shift * scale.repeat(4 * groups), rows, filters.t())
        grid = torch.empty(n, groups, height, 2, width, 4, device=x.device)
        _pairs(grid).copy_(_pairs(moved.view(n, height, width, groups, 2, 4)).permute(_TO_GRID))
        grid += _centres(height, width, x.device)
        planes = _transposed(rows.view(n, -1, channels)).view(n * groups, -1, height, width)
        grid = grid.view(n * groups, 2 * height, 2 * width, 2)
        # the CPU's way back crashes the process on positions that are not finite
        ctx.finite = x.is_cuda or math.isfinite(float(grid.sum()))
        if not ctx.finite:
            grid.zero_()
        sampled = functional.grid_sample(
            planes, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        if not ctx.finite:
            sampled.fill_(torch.nan)
        ctx.save_for_backward(rows, planes, grid, filters, scale)
        ctx.shape, ctx.dtype = x.shape, x.dtype
        mapped = _transposed(sampled.view(n, channels, -1)).to(x.dtype)
        return mapped.view(n, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        n, channels, height, width = ctx.shape
        rows, planes, grid, filters, scale = ctx.saved_tensors
        groups = len(planes) // n
        of_planes, of_grid = torch.ops.aten.grid_sampler_2d_backward(
            _transposed(_rows(gradients[0]).view(n, -1, channels)).view(
                n * groups, -1, 2 * height, 2 * width
            ),
            planes,
            grid,
            _BILINEAR,
            _BORDER,
            False,
            [True, True],
        )
        of_moved = torch.empty(n * height * width, 8 * groups, device=rows.device)
        _pairs(of_moved.view(n, height, width, groups, 2, 4)).copy_(
            _pairs(of_grid.view(n, groups, height, 2, width, 4)).permute(_FROM_GRID)
        )
        of_rows = _transposed(of_planes.view(n, channels, -1)).view(-1, channels)
        of_x = torch.addmm(of_rows, of_moved, filters)
        by_position = scale.repeat(4 * groups)
        of_weight = (of_moved.t() @ rows) * by_position.view(-1, 1)
        of_bias = of_moved.sum(0) * by_position
        return (
            of_x.view(n, height, width, channels).permute(0, 3, 1, 2).to(ctx.dtype),
            of_weight.view(-1, 2, channels).transpose(0, 1).reshape(-1, channels, 1, 1),
            of_bias.view(-1, 2).t().reshape(-1),
            None,
            None,
        )


def _by_position(weight: Tensor) -> Tensor:
    """Rows (2, g 4, c) as (g 4 2, c): x and y of a position beside each other."""
    return weight.transpose(0, 1).reshape(-1, weight.shape[2])


def _rows(x: Tensor) -> Tensor:
    """The map (n, c, h, w) as float32 (n h w, c)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).float()


def _transposed(x: Tensor) -> Tensor:
    """The matrices (n, i, j) as (n, j, i).

    Shuffling the channels of an image of one pixel is the same, and on CPUs
    several times as fast: it moves blocks of 16 x 16 in registers.
    """
    if x.device.type != "cpu":
        return x.transpose(1, 2).contiguous()
    n, i, j = x.shape
    pixel = x.contiguous().as_strided((n, i * j, 1, 1), (i * j, 1, i * j, i * j))
    return torch.native_channel_shuffle(pixel, i).as_strided((n, j, i), (i * j, i, 1))


def _pairs(grid: Tensor) -> Tensor:
    """Float32 (..., 4) as one number each: x and y of two neighbours, which move together."""
    return grid.view(torch.complex128).squeeze(-1)


def _centres(height: int, width: int, device: torch.device) -> Tensor:
    """Centres of pixels in grid units, for two neighbours (h, 1, w, 4)."""
    x = (torch.arange(width, dtype=torch.float32, device=device) * 2 + 1) / width - 1
    y = (torch.arange(height, dtype=torch.float32, device=device) * 2 + 1) / height - 1
    centres = torch.empty(height, 1, width, 2, 2, device=device)
    centres[..., 0] = x.view(width, 1)
    centres[..., 1] = y.view(height, 1, 1, 1)
    return centres.view(height, 1, width, 4)
