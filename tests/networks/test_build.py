"""The networks that architectures describe: sizes, shapes, reach, and tiles."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from stable_tiles.errors import SettingsError
from stable_tiles.networks.build import build
from stable_tiles.networks.critics import PatchCritic, ScaledCritic
from stable_tiles.networks.statistics import freeze
from stable_tiles.rivals import ResnetSettings
from stable_tiles.sections import Architecture
from stable_tiles.settings import NetworkSettings
from tests.networks.nets import images
from tests.networks.rivals import FULL, SMALL, small


def multiplications(network: nn.Module, side: int) -> int:
    """Of the convolutions of a translation of a grey image."""
    total = 0

    def count(layer: nn.Module, inputs: tuple[Any, ...], made: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.ConvTranspose2d):
            total += layer.weight.numel() * inputs[0][0, 0].numel()
        elif isinstance(layer, nn.Conv2d):
            total += layer.weight.numel() * made[0, 0].numel()

    for layer in network.modules():
        layer.register_forward_hook(count)
    with torch.no_grad():
        network.train().generate(torch.zeros(1, 1, side, side), "a2b")  # type: ignore[operator]  # rivals have it
    return total


def test_cyclegans_translator_computes_as_much_as_published() -> None:
    """49 billion multiplications for 256 x 256 pixels, a sixteenth for 64 x 64."""
    assert 16 * multiplications(build(FULL["cyclegan"], 1, 1), 64) / 1e9 == pytest.approx(49, abs=1)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("cyclegan", 11.366),
        ("utom", 54.403),
        ("munit", 12.249),
        ("santa", 11.415),
        ("cut", 11.366),
    ],
)
def test_full_networks_have_their_sizes(name: str, millions: float) -> None:
    with torch.device("meta"):
        network = build(FULL[name], 1, 1)
    assert network.parameter_count("a2b") / 1e6 == pytest.approx(millions, abs=0.001)


@pytest.mark.parametrize(
    ("name", "parameters"), [("cyclegan", 11_378_179), ("cut", 11_378_179), ("utom", 54_409_603)]
)
def test_colour_networks_have_as_many_parameters_as_the_authors(name: str, parameters: int) -> None:
    with torch.device("meta"):
        assert build(FULL[name], 3, 3).parameter_count("a2b") == parameters


def test_discriminators_have_the_published_sizes_and_shapes() -> None:
    with torch.device("meta"):
        single, scaled = PatchCritic(3, 64, 3), ScaledCritic(3, 64, 4, 3)
        (verdict,) = single(torch.empty(2, 3, 256, 256))
        verdicts = scaled(torch.empty(2, 3, 256, 256))
    assert sum(p.numel() for p in single.parameters()) == 2_764_737
    assert verdict.shape == (2, 1, 30, 30)
    assert [tuple(v.shape) for v in verdicts] == [(2, 1, 16, 16), (2, 1, 8, 8), (2, 1, 4, 4)]


def test_a_verdict_sees_70_pixels() -> None:
    critic = PatchCritic(1, 4, 3)
    for layer in critic.modules():
        if isinstance(layer, nn.InstanceNorm2d):
            layer.track_running_stats = True
            layer.register_buffer("running_mean", torch.zeros(layer.num_features))
            layer.register_buffer("running_var", torch.ones(layer.num_features))
    x = images(1, 1, 160, 160).requires_grad_()
    (verdict,) = critic.eval()(x)
    (seen,) = torch.autograd.grad(verdict[0, 0, 9, 9], x)
    rows = seen[0, 0].abs().sum(dim=1).nonzero().flatten()
    assert int(rows[-1] - rows[0]) + 1 == 70


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (32, 48), (33, 50)])
def test_images_of_any_size_keep_it(name: str, size: tuple[int, int]) -> None:
    network = small(name, (1, 3))
    with torch.no_grad():
        made = network.translate(images(2, 1, *size), "a2b")
    assert made.shape == (2, 3, *size)
    assert float(made.min()) >= 0
    assert float(made.max()) <= 1


@pytest.mark.parametrize("name", SMALL)
def test_the_reach_is_that_of_the_gradient_once_statistics_are_fixed(name: str) -> None:
    network = small(name)
    freeze(network)
    reach, stride = network.reach("a2b"), network.stride
    assert reach is not None
    side = -(-(2 * reach + 3 * stride) // stride) * stride
    x = images(1, 1, side, side).requires_grad_()
    made, first, widest = network.translate(x, "a2b"), side // 2 // stride * stride, 0
    for pixel in range(first, first + stride):
        (seen,) = torch.autograd.grad(made[0, 0, pixel, pixel], x, retain_graph=True)
        rows = seen[0, 0].abs().sum(dim=1).nonzero().flatten()
        widest = max(widest, pixel - int(rows[0]), int(rows[-1]) - pixel)
    assert widest == reach


@pytest.mark.parametrize("name", SMALL)
def test_bf16_stays_close_to_float32(name: str) -> None:
    network, x = small(name), images(1, 1, 40, 48)
    with torch.no_grad():
        exact = network.translate(x, "a2b")
        with torch.autocast("cpu", torch.bfloat16):
            rough = network.translate(x, "a2b").float()
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=0.05, rtol=0)


@pytest.mark.parametrize("name", SMALL)
def test_networks_without_statistics_have_no_limit(name: str) -> None:
    network = build(SMALL[name], 1, 1)
    assert network.reach("a2b") is None
    assert network.local_reach("a2b") > 0


@pytest.mark.parametrize(("width", "blocks"), [(4096, 64)])
def test_an_architecture_is_built_without_memory_where_only_its_size_is_asked(
    width: int, blocks: int
) -> None:
    with torch.device("meta"):
        network = build(ResnetSettings(width=width, blocks=blocks), 1, 1)
    assert network.parameter_count("a2b") > 10**11


def test_an_architecture_that_nobody_knows_is_a_fault_of_the_program() -> None:
    class Other(NetworkSettings, Architecture):
        """Derived, so it is read as its parent."""

    assert build(Other(widths=(4, 8), features=1), 1, 1).stride == 2
    with pytest.raises(TypeError, match="no network is known"):
        build(object(), 1, 1)  # type: ignore[arg-type]  # the fault


@pytest.mark.parametrize("name", ["santa", "cut"])
def test_channels_that_cannot_be_shared_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="2 and 3 channels"):
        build(SMALL[name], 2, 3)
