from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from stable_tiles.networks.convolution import (
    DemodulatedConv2d,
    NormedConv2d,
    PlainConv2d,
    channels_last,
    convolve,
)
from tests.networks.nets import images


def test_demodulated_filters_have_norm_one() -> None:
    filters = DemodulatedConv2d(5, 7).filters()
    torch.testing.assert_close(filters.square().sum(dim=(1, 2, 3)), torch.ones(7))


def test_a_filter_of_zeros_stays_zero() -> None:
    layer = DemodulatedConv2d(2, 2)
    nn.init.zeros_(layer.weight)
    assert not layer.filters().any()


def test_demodulation_follows_its_formula() -> None:
    layer = DemodulatedConv2d(2, 3)
    w = layer.weight.detach().numpy()
    wanted = w / (((w**2).sum(axis=(1, 2, 3)) + 1e-8) ** 0.5)[:, None, None, None]
    torch.testing.assert_close(layer.filters().detach(), torch.from_numpy(wanted))


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("channels", [1, 3, 8])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_pixel_has_the_same_bits_in_any_tile(kernel: int, channels: int, threads: int) -> None:
    x = images(1, channels, 160, 150) - 0.5
    weight, margin = torch.randn(8, channels, kernel, kernel), (kernel // 2, kernel // 2)
    before = torch.get_num_threads()
    whole = convolve(x, weight, None, margin)
    torch.set_num_threads(threads)
    try:
        for top, left, side in ((0, 0, 149), (3, 5, 40), (140, 130, 9), (77, 1, 2)):
            tile = convolve(x[:, :, top : top + side, left : left + side], weight, None, margin)
            inner = tile[:, :, 1 : side - 1, 1 : side - 1]
            there = whole[:, :, top + 1 : top + side - 1, left + 1 : left + side - 1]
            assert torch.equal(inner, there[:, :, : inner.shape[2], : inner.shape[3]])
    finally:
        torch.set_num_threads(before)


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
def test_training_and_translating_convolve_alike(channels: int, height: int, width: int) -> None:
    layer = PlainConv2d(channels, 4, bias=True)
    x = images(2, channels, height, width)
    torch.testing.assert_close(layer.train()(x), layer.eval()(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("demodulate", [True, False])
def test_fixed_statistics_inside_the_filters_change_nothing(demodulate: bool) -> None:
    norm = nn.BatchNorm2d(6)
    layer = NormedConv2d(3, 6, norm=norm, demodulate=demodulate)
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.normal_(norm.bias)
    x = images(2, 3, 20, 20)
    for _ in range(3):
        layer.train()(x)
    layer.eval()
    wanted = norm(functional.conv2d(x, layer.conv.filters(), padding=1))
    torch.testing.assert_close(layer(x), wanted, atol=1e-5, rtol=1e-5)


def test_double_precision_works_too() -> None:
    x, weight = images(1, 2, 8, 8).double(), torch.randn(3, 2, 3, 3).double()
    wanted = functional.conv2d(x, weight, padding=1)
    torch.testing.assert_close(convolve(x, weight, None, (1, 1)), wanted)


def test_autocast_holds_for_translating() -> None:
    layer = PlainConv2d(3, 4).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(images(1, 3, 8, 8)).dtype == torch.bfloat16


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_channels_last_keeps_values_and_gradients(channels: int) -> None:
    x = images(2, channels, 5, 6).requires_grad_()
    moved = channels_last(x)
    assert torch.equal(moved, x)
    assert moved.stride()[1] == 1
    torch.autograd.backward(moved.sum())
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones_like(x))
