from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from stable_tiles.errors import SettingsError
from stable_tiles.networks.layers import Bilinear, DeformableConv2d, DySample, normalization
from stable_tiles.networks.reach import Span
from stable_tiles.networks.statistics import InstanceNorm
from tests.networks.nets import images


@pytest.mark.parametrize("training", [True, False])
def test_dynamic_upsampling_at_zero_is_bilinear(training: bool) -> None:
    layer = DySample(8).train(training)
    nn.init.zeros_(layer.offset.weight)
    x = images(2, 8, 9, 13)
    torch.testing.assert_close(layer(x), Bilinear()(x), atol=1e-5, rtol=0)


def test_a_fresh_upsampling_is_almost_bilinear() -> None:
    layer, x = DySample(16).eval(), images(1, 16, 9, 13)
    difference = (layer(x) - Bilinear()(x)).abs().max()
    assert 0 < difference < 0.01


def test_displacements_are_a_quarter_of_the_convolution() -> None:
    layer, x = DySample(8), images(1, 8, 3, 3)
    nn.init.ones_(layer.offset.weight)
    wanted = 0.25 * x.sum(dim=1)
    torch.testing.assert_close(layer.learned(x)[0, 1, 3, 1, 0], wanted[0])


def test_groups_of_channels_move_apart() -> None:
    layer = DySample(8).eval()
    nn.init.zeros_(layer.offset.weight)
    assert layer.offset.bias is not None
    with torch.no_grad():
        layer.offset.bias.view(2, 4, 2, 2)[0, 1] = 4.0
    layer.set_bound(1.0)
    x = images(1, 8, 6, 6)
    moved, still = layer(x), Bilinear()(x)
    torch.testing.assert_close(moved[:, 2:4, :, :-2], still[:, 2:4, :, 2:], atol=1e-6, rtol=0)
    torch.testing.assert_close(moved[:, 4:], still[:, 4:], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("largest", "bound"), [(0, 0.25), (0.25, 0.25), (0.26, 0.75), (0.75, 0.75), (1.1, 1.25)]
)
def test_bounds_are_rounded_to_where_the_reach_grows(largest: float, bound: float) -> None:
    layer = DySample(4)
    layer.set_bound(largest)
    assert float(layer.bound) == bound
    assert layer.needs(Span(0, 1)) == Span(0, 1).before_upsampling(2, bound)


def test_displacements_are_clamped_only_outside_training() -> None:
    layer = DySample(4)
    assert layer.offset.bias is not None
    nn.init.constant_(layer.offset.bias, 8.0)
    x = images(1, 4, 12, 12)
    far = layer.train()(x)
    near = layer.eval()(x)
    layer.set_bound(2.0)
    assert not torch.allclose(far, near, atol=1e-3)
    torch.testing.assert_close(layer(x), far, atol=1e-4, rtol=0)


def test_coordinates_stay_float32_under_autocast() -> None:
    layer = DySample(4).eval()
    ramp = torch.arange(3000.0).expand(1, 4, 2, 3000)
    nn.init.zeros_(layer.offset.weight)
    with torch.autocast("cpu", torch.bfloat16):
        upsampled = layer(ramp)
    torch.testing.assert_close(upsampled[0, 0, 0, 1:-1], torch.arange(1, 5999) / 2 - 0.25)


def test_widths_that_four_groups_do_not_divide_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"multiples of 4 \(got 6\)"):
        DySample(6)


@pytest.mark.parametrize("training", [True, False])
def test_a_fresh_deformable_convolution_is_a_convolution(training: bool) -> None:
    layer = DeformableConv2d(4, 6).train(training)
    x = images(2, 4, 9, 11)
    weight = layer.mix.weight.view(6, 4, 3, 3)
    wanted = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), weight)
    torch.testing.assert_close(layer(x), wanted, atol=1e-5, rtol=0)


def test_the_bound_of_a_deformable_convolution_is_a_whole_number() -> None:
    layer = DeformableConv2d(4, 4)
    layer.set_bound(1.3)
    assert float(layer.bound) == 2
    assert layer.needs(Span(0, 0)) == Span(-3, 3)


def test_norms_are_of_the_kind_asked_for() -> None:
    batch = normalization("batch", 3)
    assert isinstance(batch, nn.BatchNorm2d)
    assert batch.momentum == 0.1
    assert isinstance(normalization("instance", 3), InstanceNorm)
    assert isinstance(normalization("none", 3), nn.Identity)
