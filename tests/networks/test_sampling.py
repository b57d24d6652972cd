from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from stable_tiles.networks.sampling import sample, sample_for_training


def quarter_steps(n: int, groups: int, height: int, width: int) -> Tensor:
    sides = torch.tensor([-0.25, 0.25])
    start = torch.stack(torch.meshgrid(sides, sides, indexing="xy"))
    return start.view(1, 2, 1, 2, 2, 1, 1).expand(n, 2, groups, 2, 2, height, width)


def scene(shape: tuple[int, int, int, int], spread: float, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    n, _, height, width = shape
    moved = spread * torch.randn(n, 2, 4, 2, 2, height, width, generator=generator)
    return torch.randn(shape, generator=generator), quarter_steps(n, 4, height, width) + moved


sizes = st.tuples(st.integers(1, 3), st.just(8), st.integers(1, 20), st.integers(1, 20))


@settings(deadline=None, max_examples=25)
@given(sizes, st.floats(0, 3), st.integers(0, 99))
def test_both_kernels_agree(shape: tuple[int, int, int, int], spread: float, seed: int) -> None:
    x, moved = scene(shape, spread, seed)
    exact = sample(x, moved)
    assert exact.shape == (shape[0], shape[1], 2 * shape[2], 2 * shape[3])
    torch.testing.assert_close(exact, sample_for_training(x, moved), atol=3e-5, rtol=0)


def test_both_kernels_have_one_gradient() -> None:
    gradients = []
    for kernel in (sample, sample_for_training):
        x, moved = scene((2, 8, 7, 9), 2.0, 3)
        leaves = [x.requires_grad_(), moved.detach().requires_grad_()]
        torch.autograd.backward(kernel(*leaves).square().sum())
        gradients.append([leaf.grad for leaf in leaves])
    for exact, fast in zip(*gradients, strict=True):
        torch.testing.assert_close(exact, fast, atol=2e-4, rtol=1e-3)


@settings(deadline=None, max_examples=15)
@given(sizes)
def test_without_displacement_it_is_bilinear_upsampling(shape: tuple[int, int, int, int]) -> None:
    x, moved = scene(shape, 0.0, 0)
    wanted = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(sample(x, moved), wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(sample_for_training(x, moved), wanted, atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 99))
def test_bits_do_not_depend_on_where_the_tile_starts(top: int, left: int, seed: int) -> None:
    x, moved = scene((1, 8, 48, 57), 0.5, seed)
    reach = 1 + int(moved.abs().max())
    whole = sample(x, moved)
    tile = sample(x[:, :, top:, left:], moved[..., top:, left:])
    y, z = (2 * reach if top else 0), (2 * reach if left else 0)
    assert torch.equal(tile[:, :, y:, z:], whole[:, :, 2 * top + y :, 2 * left + z :])


def test_many_points_are_sampled_in_strips_with_the_same_bits() -> None:
    x, moved = scene((1, 8, 150, 120), 0.5, 0)
    whole = sample(x, moved)
    top = sample(x[:, :, :20], moved[..., :20, :])
    assert torch.equal(top[:, :, :20], whole[:, :, :20])


def test_gradients_of_both_kernels_agree() -> None:
    gradients = []
    for kernel in (sample, sample_for_training):
        x, moved = (t.clone().requires_grad_() for t in scene((2, 8, 6, 7), 0.3, 0))
        torch.autograd.backward(kernel(x, moved).square().sum())
        gradients.append((x.grad, moved.grad))
    for exact, fast in zip(*gradients, strict=True):
        torch.testing.assert_close(exact, fast, atol=1e-3, rtol=1e-4)
