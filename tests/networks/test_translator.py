from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stable_tiles.networks.layers import DySample
from stable_tiles.networks.translator import Direction, Translator
from stable_tiles.settings import NetworkSettings
from tests.networks.nets import SMALL, images, lively

TILED = {
    "no norm": lively(),
    "batch": lively((1, 3), norm="batch"),
    "bilinear": lively(upsampling="bilinear", norm="batch"),
    "deformable": lively(upsampling="deformable", spread=0.01),
    "coarse features": lively(feature_scale=4),
    "very coarse features": lively(feature_scale=16),
}


def in_tiles(network: Translator, x: Tensor, tile: int) -> Tensor:
    """Translate A to B tile by tile as the theorem asks for."""
    reach = network.reach("a2b")
    assert reach is not None
    halo = -(-reach // network.stride) * network.stride
    height, width = x.shape[2:]
    rows = []
    for y in range(0, height, tile):
        row = []
        for z in range(0, width, tile):
            top, left = max(0, y - halo), max(0, z - halo)
            part = x[:, :, top : y + tile + halo, left : z + tile + halo]
            made = network.translate(part, "a2b")
            row.append(made[:, :, y - top : y - top + tile, z - left : z - left + tile])
        rows.append(torch.cat(row, dim=3))
    return torch.cat(rows, dim=2)


@torch.inference_mode()
@pytest.mark.parametrize("name", TILED)
@settings(deadline=None, max_examples=3)
@given(height=st.integers(1, 150), width=st.integers(100, 170), tile=st.sampled_from([16, 48]))
def test_tiles_have_the_bits_of_the_whole_image(
    name: str, height: int, width: int, tile: int
) -> None:
    x = images(1, 1, height, width)
    assert torch.equal(in_tiles(TILED[name], x, tile), TILED[name].translate(x, "a2b"))


@torch.inference_mode()
def test_four_levels_have_the_bits_of_the_whole_image() -> None:
    network = lively(widths=(8, 16, 32, 64), norm="batch")
    x = images(1, 1, 333, 437)
    whole = network.translate(x, "a2b")
    difference = (in_tiles(network, x, 128) - whole).abs().max()
    assert difference <= 1e-6 * whole.std()


@torch.inference_mode()
def test_one_and_two_threads_give_the_same_bits() -> None:
    x, made = images(1, 1, 131, 97), []
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        made.append([TILED[name].translate(x, "a2b") for name in ("no norm", "batch")])
    torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*made, strict=True))


@torch.inference_mode()
def test_an_image_has_the_same_bits_alone_and_in_a_batch() -> None:
    x = images(3, 1, 64, 72)
    together = TILED["no norm"].translate(x, "a2b")
    alone = torch.cat([TILED["no norm"].translate(image[None], "a2b") for image in x])
    assert torch.equal(together, alone)


@torch.inference_mode()
def test_a_tile_out_of_phase_differs() -> None:
    network, x = TILED["no norm"], images(1, 1, 100, 300)
    whole = network.translate(x, "a2b")
    shifted = network.translate(x[:, :, :, 1:], "a2b")
    assert (shifted[..., 70:-70] - whole[..., 71:-70]).abs().max() > 1e-3 * whole.std()


@pytest.mark.parametrize(
    ("widths", "features", "millions", "reach"),
    [((8, 16, 32), 8, 0.070, 58), ((32, 64, 128, 256), 3, 4.325, 130)],
)
def test_sizes_and_reach_are_those_of_the_paper(
    widths: tuple[int, ...], features: int, millions: float, reach: int
) -> None:
    network = Translator(1, 1, NetworkSettings(widths=widths, features=features, norm="none"))
    parts = (network.encoder_a, network.decoder_b)
    count = sum(parameter.numel() for part in parts for parameter in part.parameters())
    assert round(count / 1e6, 3) == millions
    assert network.reach("a2b") == network.reach("b2a") == reach
    assert network.stride == 2 ** (len(widths) - 1)


def seen_by_probe(network: Translator, direction: Direction) -> int:
    """The reach as it shows: one pixel that is no number spoils all that depend on it."""
    stride, middle, farthest = network.stride, 40 * network.stride, 0
    for phase in range(stride):
        x = images(1, network.channels[direction[0]], stride, 80 * stride)
        x[..., middle + phase] = torch.nan
        spoilt = network.translate(x, direction).isnan().any(dim=2)[0, 0].nonzero()
        there = (spoilt - middle - phase).abs().max()
        farthest = max(farthest, int(there))
    return farthest


@torch.inference_mode()
@pytest.mark.parametrize(
    "changes",
    [
        {"widths": (4, 4)},
        {"widths": (4, 8, 8)},
        {"widths": (4, 4, 4, 4)},
        {"widths": (4, 4, 4, 4, 4)},
        {"widths": (4, 8, 8), "upsampling": "bilinear"},
        {"widths": (4, 8, 8), "feature_scale": 2},
        {"widths": (4, 8), "feature_scale": 8},
    ],
    ids=str,
)
def test_the_computed_reach_is_what_a_probe_sees(changes: dict[str, Any]) -> None:
    network = Translator(1, 1, NetworkSettings(**{**SMALL, **changes})).eval()
    for module in network.modules():
        if isinstance(module, DySample):
            torch.nn.init.zeros_(module.offset.weight)
    assert seen_by_probe(network, "a2b") == network.reach("a2b")


@torch.inference_mode()
def test_the_probe_never_sees_beyond_the_reach_of_bounded_displacements() -> None:
    network = lively(widths=(8, 16, 32))
    for module in network.modules():
        if isinstance(module, DySample) and module.offset.bias is not None:
            torch.nn.init.uniform_(module.offset.bias, -5.0, 5.0)
    network.bound_offsets([(images(1, 1, 32, 32), images(1, 1, 32, 32))])
    reach = network.reach("a2b")
    assert reach is not None
    assert 58 < seen_by_probe(network, "a2b") <= reach


def test_instance_norm_has_a_reach_once_training_has_gathered_statistics() -> None:
    network = Translator(1, 1, NetworkSettings(**{**SMALL, "norm": "instance"}))
    plain = Translator(1, 1, NetworkSettings(**SMALL))
    assert network.reach("a2b") is None
    assert network.local_reach("a2b") == plain.reach("a2b")
    with torch.autocast("cpu", torch.bfloat16):
        network.train().translate(network.translate(images(1, 1, 16, 16), "a2b"), "b2a")
    assert network.reach("a2b") == plain.reach("a2b")
    again = Translator(1, 1, network.settings)
    again.load_state_dict(network.state_dict())
    assert again.holds_statistics


@pytest.mark.parametrize("scale", [1, 2, 8])
def test_domains_may_differ_in_channels(scale: int) -> None:
    network = Translator(1, 3, NetworkSettings(**{**SMALL, "feature_scale": scale}))
    grey, colour = images(1, 1, 21, 30), images(1, 3, 21, 30)
    assert network.translate(grey, "a2b").shape == (1, 3, 21, 30)
    assert network.translate(colour, "b2a").shape == (1, 1, 21, 30)
    features = network.encode(grey, "a")
    assert features.shape == (1, 8, -(-21 // scale), -(-30 // scale))
    assert network.decode(features, "b", (21, 30)).shape == (1, 3, 21, 30)


def test_translating_is_encoding_and_decoding() -> None:
    network, x = TILED["batch"], images(1, 1, 24, 40)
    assert torch.equal(network.translate(x, "a2b"), network.decode(network.encode(x, "a"), "b"))
    assert torch.equal(network(x, "a2b"), network.translate(x, "a2b"))


def test_measured_displacements_are_never_clamped() -> None:
    network = lively(spread=0.5, norm="batch")
    x = images(4, 1, 32, 32)
    bounds = [float(m.bound) for m in network.modules() if isinstance(m, DySample)]
    assert max(bounds) > 0.25
    assert all((4 * bound) % 2 == 1 for bound in bounds)
    bounded = network.translate(x, "a2b")
    for module in network.modules():
        if isinstance(module, DySample):
            module.bound.fill_(100.0)
    assert torch.equal(network.translate(x, "a2b"), bounded)


def test_measuring_keeps_the_mode_and_the_statistics() -> None:
    network = lively(norm="batch").train()
    before = {k: v.clone() for k, v in network.state_dict().items() if "running" in k}
    network.bound_offsets([(images(1, 1, 16, 16), images(1, 1, 16, 16))])
    assert network.training
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())
