from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stable_tiles.networks.convolution import channels_last
from stable_tiles.networks.layers import DySample
from stable_tiles.networks.sampling import sample_for_training

sizes = st.tuples(st.integers(1, 3), st.sampled_from([4, 12]), st.integers(1, 9), st.integers(1, 9))


def layer(channels: int, spread: float) -> DySample:
    torch.manual_seed(0)
    made = DySample(channels)
    with torch.no_grad():
        made.offset.weight.normal_(std=spread)
        made.offset.weight.view(2, -1)[1] *= 0.5  # x and y must not be exchanged
        assert made.offset.bias is not None
        made.offset.bias.normal_(std=spread)
    return made


def apart(made: DySample, x: Tensor) -> Tensor:
    """The same in separate steps, each with its own gradient."""
    return sample_for_training(x, made.learned(x) + made.start)


def with_gradients(upsampled: Tensor, *leaves: Tensor) -> list[Tensor]:
    weighted = upsampled.float() * torch.linspace(-1, 1, upsampled.numel()).view(upsampled.shape)
    return [upsampled.detach(), *torch.autograd.grad(weighted.sum(), leaves)]


@settings(deadline=None, max_examples=25)
@given(sizes, st.sampled_from([0.0, 0.3, 2.0]), st.booleans())
def test_results_and_gradients_are_those_of_the_separate_steps(
    shape: tuple[int, int, int, int], spread: float, last: bool
) -> None:
    made = layer(shape[1], spread)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(shape, generator=generator)
    x = (channels_last(x) if last else x).requires_grad_()
    leaves = (x, *made.parameters())
    fused = with_gradients(made(x), *leaves)
    for mine, wanted in zip(fused, with_gradients(apart(made, x), *leaves), strict=True):
        assert mine.shape == wanted.shape
        torch.testing.assert_close(mine, wanted, atol=2e-4, rtol=2e-4)


def test_the_result_is_channels_last_and_keeps_its_dtype() -> None:
    made, x = layer(8, 0.1), channels_last(torch.randn(2, 8, 6, 5))
    assert made(x).is_contiguous(memory_format=torch.channels_last)
    rough = made(x.bfloat16())
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), made(x), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_positions_that_are_not_finite_show_in_the_result_and_crash_nothing(value: float) -> None:
    made = layer(4, 0.1)
    x = torch.randn(1, 4, 5, 5)
    x[0, 1, 2, 3] = value
    x.requires_grad_()
    upsampled = made(x)
    assert upsampled.isnan().all()
    torch.autograd.backward(upsampled.sum())
