from __future__ import annotations

from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from stable_tiles.networks.chain import (
    BlurPool,
    Chain,
    Conv,
    Looks,
    Nearest,
    Residual,
    TransposedConv,
    continued,
    initialize,
)
from stable_tiles.networks.layers import Bilinear
from stable_tiles.networks.reach import Span
from stable_tiles.networks.statistics import InstanceNorm, freeze
from tests.networks.nets import images

LAYERS: dict[str, nn.Module] = {
    "conv 3": Conv(2, 2),
    "conv 7": Conv(2, 2, 7),
    "conv 3 halving": Conv(2, 2, stride=2, edge="zeros"),
    "conv 4 halving": Conv(2, 2, 4, stride=2),
    "transposed 3": TransposedConv(2, 2, 3),
    "transposed 4": TransposedConv(2, 2, 4),
    "blur": BlurPool(),
    "nearest": Nearest(),
    "residual": Residual(2),
    "chain": Chain(Conv(2, 2, 7), nn.ReLU(), BlurPool(), Residual(2), TransposedConv(2, 2, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_reads_the_pixels_that_it_says_and_no_others(name: str) -> None:
    layer = LAYERS[name].eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.abs_().add_(0.1)
    for module in layer.modules():
        if isinstance(module, InstanceNorm):
            module.num_batches_tracked.fill_(1)
    freeze(layer)
    x = images(1, 2, 48, 48).requires_grad_()
    mapped = layer(x).sum(dim=(0, 1))
    for pixel in (20, 21):
        (seen,) = torch.autograd.grad(mapped[pixel, 20], x, retain_graph=True)
        rows = seen[0].abs().sum(dim=(0, 2)).nonzero().flatten()
        span = cast(Looks, layer).needs(Span(pixel, pixel))
        assert (int(rows[0]), int(rows[-1])) == (span.first, span.last)


@settings(deadline=None, max_examples=8)
@given(st.sampled_from([3, 4]), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_a_transposed_convolution_is_torchs_in_training_and_after(
    kernel: int, height: int, width: int, seed: int
) -> None:
    torch.manual_seed(seed)
    layer, x = TransposedConv(3, 2, kernel), images(2, 3, height, width, seed)
    wanted = functional.conv_transpose2d(x, layer.weight, layer.bias, 2, 1, kernel % 2)
    assert wanted.shape == (2, 2, 2 * height, 2 * width)
    torch.testing.assert_close(layer.train()(x), wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(layer.eval()(x), wanted, atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 12), st.integers(2, 12))
def test_halving_filters_with_1_2_1_and_reflects_at_edges(height: int, width: int) -> None:
    x = images(2, 3, height, width)
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = torch.outer(taps, taps).expand(3, 1, 3, 3)
    around = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    torch.testing.assert_close(BlurPool()(x), functional.conv2d(around, kernel, stride=2, groups=3))


def test_enlarging_behind_a_low_pass_of_1_3_3_1_is_bilinear() -> None:
    """The operator of CUT and SANTA, written out, is that of `layers`."""
    x = images(1, 1, 6, 7)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    kernel = torch.outer(taps, taps)[None, None]
    around = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    wanted = functional.conv_transpose2d(around, kernel, stride=2, padding=1)[:, :, 2:-2, 2:-2]
    torch.testing.assert_close(Bilinear()(x), wanted)


@pytest.mark.parametrize("edge", ["reflect", "zeros"])
def test_a_convolution_continues_the_image_as_asked(edge: str) -> None:
    layer, x = Conv(2, 3, 5, edge=edge), images(1, 2, 9, 8)
    mode = "reflect" if edge == "reflect" else "constant"
    wanted = functional.conv2d(functional.pad(x, (2,) * 4, mode=mode), layer.weight, layer.bias)
    for training in (True, False):
        torch.testing.assert_close(layer.train(training)(x), wanted, atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 4, 8]), st.integers(1, 16))
def test_continued_images_fit_and_begin_as_they_were(
    height: int, width: int, multiple: int, least: int
) -> None:
    least *= multiple
    x = images(1, 2, height, width)
    made = continued(x, multiple, least)
    for size, now in zip((height, width), made.shape[2:], strict=True):
        assert now % multiple == 0
        assert least <= now
        assert now < size + multiple or now == least
    assert torch.equal(made[:, :, :height, :width], x)
    assert torch.equal(made[:, :, -1, :width], x[:, :, -1])


@pytest.mark.parametrize(
    ("how", "deviation"), [("normal", 0.02), ("xavier", 0.02 / 24), ("kaiming", (2 / 576) ** 0.5)]
)
def test_weights_are_drawn_as_published(how: str, deviation: float) -> None:
    torch.manual_seed(0)
    layer = Conv(64, 64)
    initialize(layer, how)
    assert float(layer.weight.detach().std()) == pytest.approx(deviation, rel=0.05)
    assert layer.bias is not None
    assert not layer.bias.any()
