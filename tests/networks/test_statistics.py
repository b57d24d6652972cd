from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stable_tiles.networks.convolution import NormedConv2d
from stable_tiles.networks.moments import Doubles, Moments, Table
from stable_tiles.networks.statistics import (
    Enough,
    Gather,
    Given,
    InstanceNorm,
    LayerNorm,
    NormLayer,
    freeze,
    normalized,
    ruled,
    tracked,
)
from stable_tiles.region import Region
from tests.networks.nets import images

NOTHING = Given({}, (0.0,), (0.0,))


def test_outside_training_the_images_own_statistics_hold() -> None:
    layer, x = InstanceNorm(3).eval(), images(2, 3, 8, 9)
    torch.testing.assert_close(layer(x), functional.instance_norm(x))
    assert not layer.holds_statistics


def test_training_gathers_the_average_patch() -> None:
    layer = InstanceNorm(2).train()
    seen = [images(2, 2, 16, 16, seed) * (seed + 1) for seed in range(5)]
    for x in seen:
        torch.testing.assert_close(layer(x), functional.instance_norm(x))
    patches = torch.cat(seen)
    variance, mean = torch.var_mean(patches, dim=(2, 3), correction=0)
    torch.testing.assert_close(layer.running_mean, mean.mean(dim=0))
    torch.testing.assert_close(layer.running_var, variance.mean(dim=0))
    assert layer.holds_statistics


def test_frozen_statistics_normalise_and_become_part_of_filters() -> None:
    norm = InstanceNorm(6)
    layer = NormedConv2d(3, 6, norm=norm, demodulate=True).eval()
    mean, variance = torch.randn(6), torch.rand(6) + 0.5
    norm.fix(mean, variance)
    freeze(layer)
    x = images(1, 3, 12, 12)
    mapped = functional.conv2d(x, layer.conv.filters(), padding=1)
    wanted = functional.batch_norm(mapped, mean, variance)
    torch.testing.assert_close(layer(x), wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(norm(mapped), wanted, atol=1e-5, rtol=1e-5)


def test_a_pass_ends_at_the_first_unknown_layer_and_counts_the_core_only() -> None:
    network = torch.nn.Sequential(InstanceNorm(2), torch.nn.MaxPool2d(2), InstanceNorm(2)).eval()
    x, area, core = images(1, 2, 20, 32), Region((8, 4), (28, 36)), Region((12, 8), (20, 36))
    rule = Gather(NOTHING, core, at_once=False)
    with pytest.raises(Enough), ruled(network, rule, area):
        network(x)
    assert list(rule.found) == ["0"]
    np.testing.assert_allclose(rule.found["0"].mean, Moments.of(x[:, :, 4:12, 4:]).mean)
    first = rule.found["0"]
    known = Given({"0": table(first.mean, first.variance)}, (0.0,), (0.0,))
    rule = Gather(known, core, at_once=False)
    with pytest.raises(Enough), ruled(network, rule, area):
        network(x)
    below = functional.max_pool2d(
        normalized(x, torch.from_numpy(first.mean), torch.from_numpy(first.variance), 1e-5), 2
    )
    np.testing.assert_allclose(rule.found["2"].mean, Moments.of(below[:, :, 2:6, 2:]).mean)


def test_all_layers_at_once_are_the_images_own() -> None:
    network = torch.nn.Sequential(InstanceNorm(2), torch.nn.ReLU(), InstanceNorm(2)).eval()
    x = images(1, 2, 17, 13)
    whole = Region.whole((17, 13))
    rule = Gather(NOTHING, whole, at_once=True)
    with ruled(network, rule, whole):
        made = network(x)
    assert list(rule.found) == ["0", "2"]
    torch.testing.assert_close(made, network(x))


def table(mean: Doubles, variance: Doubles) -> Table:
    return Table(mean[:, None, None], variance[:, None, None])


def interpolated(x: Tensor, area: Region) -> Tensor:
    rng = np.random.default_rng(0)
    field = Table(rng.normal(size=(1, 3, 2, 4)), rng.random((1, 3, 2, 4)) + 0.5)
    given = Given({"": field}, (10.0, 30.0, 47.0), (16.0, 48.0))
    layer = InstanceNorm(4).eval()
    with ruled(layer, given, area):
        made: Tensor = layer(x)
    return made


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_interpolated_statistics_are_the_same_bits_in_any_tile(scale: int) -> None:
    x = images(1, 4, 64 // scale, 80 // scale)
    whole = interpolated(x, Region.whole((64, 80)))
    top, left = 8, 20
    part = x[:, :, top // scale :, left // scale : 60 // scale]
    made = interpolated(part, Region((top, left), (64, 60)))
    assert torch.equal(made, whole[:, :, top // scale :, left // scale : 60 // scale])


def test_interpolated_statistics_are_bilinear_between_centres_and_constant_beyond() -> None:
    x = torch.zeros(1, 4, 64, 80)
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(size=(1, 3, 2, 4)), rng.random((1, 3, 2, 4)) + 0.5
    made = interpolated(x, Region.whole((64, 80)))
    corner = -mean[0, 0, 0] / np.sqrt(variance[0, 0, 0] + 1e-5)
    np.testing.assert_allclose(made[0, :, 3, 3], corner, rtol=1e-5)
    y, x_share = (20.5 - 10) / 20, (40.5 - 16) / 32
    m, v = (
        (1 - y) * ((1 - x_share) * f[0, 0, 0] + x_share * f[0, 0, 1])
        + y * ((1 - x_share) * f[0, 1, 0] + x_share * f[0, 1, 1])
        for f in (mean, variance)
    )
    np.testing.assert_allclose(made[0, :, 20, 40], -m / np.sqrt(v + 1e-5), rtol=1e-5)


def _layer_norm(channels: int) -> LayerNorm:
    layer = LayerNorm(channels, tracks=False)
    with torch.no_grad():
        layer.scale.copy_(torch.rand(channels) + 0.5)
        layer.shift.copy_(torch.rand(channels))
    return layer


@pytest.mark.parametrize("training", [True, False])
def test_a_layer_norm_is_torchs_by_image_with_a_scale_for_each_channel(training: bool) -> None:
    layer, x = _layer_norm(3).train(training), images(2, 3, 7, 8) * 5 - 2
    plain = functional.layer_norm(x, (3, 7, 8))
    wanted = plain * layer.scale.view(3, 1, 1) + layer.shift.view(3, 1, 1)
    torch.testing.assert_close(layer(x), wanted)
    assert not layer.holds_statistics, "nothing was tracked"


def test_a_layer_norm_of_a_flat_map_has_finite_gradients() -> None:
    layer, x = _layer_norm(3).train(), torch.ones(2, 3, 4, 4, requires_grad=True)
    layer(x).square().sum().backward()
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())


@pytest.mark.parametrize("kind", ["given", "frozen"])
def test_a_layer_norm_of_a_tile_is_that_of_the_plane(kind: str) -> None:
    layer, x = _layer_norm(4), images(1, 4, 24, 30) * torch.arange(1, 5).view(4, 1, 1)
    network = torch.nn.Sequential(layer)
    wanted = layer.eval()(x)
    area, moments = Region((4, 6), (20, 22)), Moments.of(x)
    tile = x[:, :, 4:20, 6:22]
    if kind == "given":
        known = Given({"0": table(moments.mean, moments.variance)}, (0.0,), (0.0,))
        with ruled(network, known, area):
            made = network(tile)
    else:
        layer.fix(torch.from_numpy(moments.mean[0]), torch.from_numpy(moments.variance[0]))
        freeze(network)
        made = network(tile)
    torch.testing.assert_close(made, wanted[:, :, 4:20, 6:22], atol=1e-5, rtol=1e-5)


def test_tracking_begins_anew_and_ends() -> None:
    layer = InstanceNorm(2, tracks=False).eval()
    layer.fix(torch.full((2,), 9.0), torch.ones(2))
    x = images(2, 2, 8, 8)
    with tracked(layer):
        layer(x)
    torch.testing.assert_close(layer.running_mean, x.mean(dim=(0, 2, 3)))
    assert not layer.training
    layer.train()(x + 1)
    torch.testing.assert_close(layer.running_mean, x.mean(dim=(0, 2, 3)))


def test_a_plane_that_is_continued_inside_tells_the_scale_of_its_maps() -> None:
    layer = NormLayer("deep", 1e-5, multiple=256)
    assert layer.scale(torch.empty(1, 1, 2, 2), Region((0, 0), (100, 300))) == 128
    assert layer.scale(torch.empty(1, 1, 256, 2), Region((0, 0), (100, 300))) == 1
    plain = NormLayer("plain", 1e-5)
    assert plain.scale(torch.empty(1, 1, 25, 2), Region((0, 0), (101, 300))) == 4
