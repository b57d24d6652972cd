from __future__ import annotations

from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from stable_tiles.errors import SettingsError
from stable_tiles.networks.unet import Head, UNet, Up, maxima
from stable_tiles.settings import NetworkSettings
from tests.networks.nets import images

TINY = NetworkSettings(widths=(4, 8, 16), features=2, norm="none")
UPSAMPLINGS: tuple[Literal["dynamic", "bilinear", "deformable"], ...] = (
    "dynamic",
    "bilinear",
    "deformable",
)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 23), st.integers(1, 23), st.sampled_from(UPSAMPLINGS), st.booleans())
def test_any_size_comes_out_as_it_went_in(
    height: int,
    width: int,
    upsampling: Literal["dynamic", "bilinear", "deformable"],
    training: bool,
) -> None:
    network = UNet(2, 3, TINY.model_copy(update={"upsampling": upsampling})).train(training)
    assert network(images(1, 2, height, width)).shape == (1, 3, height, width)


def test_images_below_the_stride_are_padded_with_zeros_and_cropped() -> None:
    network = UNet(1, 1, TINY).eval()
    x = images(1, 1, 3, 2)
    padded = network(functional.pad(x, (0, 2, 0, 1)))
    assert torch.equal(network(x), padded[:, :, :3, :2])


def test_training_and_translating_agree_without_norm() -> None:
    network, x = UNet(1, 2, TINY), images(2, 1, 21, 18)
    torch.testing.assert_close(network.train()(x), network.eval()(x), atol=1e-5, rtol=1e-4)


def test_widths_need_not_double() -> None:
    network = UNet(1, 1, NetworkSettings(widths=(6, 8, 20), features=2))
    assert network(images(2, 1, 16, 16)).shape == (2, 1, 16, 16)


def test_odd_widths_are_refused() -> None:
    with pytest.raises(SettingsError, match="must be even"):
        UNet(1, 1, NetworkSettings(widths=(8, 15), upsampling="bilinear"))


def test_the_middle_of_an_up_block_is_half_its_input() -> None:
    up = Up(16, 8, norm="none", upsampling="dynamic", demodulate=True)
    shapes = [tuple(conv.conv.weight.shape[:2]) for conv in (up.block.inner, up.block.outer)]
    assert shapes == [(8, 16), (8, 8)]


def test_the_head_has_no_activation_at_its_end() -> None:
    torch.manual_seed(0)
    head = Head(4, 2)
    assert head(images(1, 4, 5, 5) - 5).min() < 0


def test_maxima_are_those_of_pooling_with_the_same_gradient() -> None:
    results = []
    for pool in (maxima, lambda x: functional.max_pool2d(x, 2)):
        x = images(2, 3, 7, 10, 1).requires_grad_()
        pooled = pool(x)
        torch.autograd.backward(pooled.square().sum())
        results.append((pooled, x.grad))
    assert all(map(torch.equal, *results))
