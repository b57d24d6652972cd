"""The denoiser's network: blind to the pixel it predicts, and equal in tiles."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stable_tiles.errors import SettingsError
from stable_tiles.networks.build import build
from stable_tiles.networks.support import (
    LARGE,
    SMALL,
    BlindRow,
    HoleConv2d,
    SupportNetwork,
)
from stable_tiles.support import SupportNetworkSettings

TINY = SupportNetworkSettings(frames=5, widths=(4, 8), branch=3, head=(4,))


def network(described: SupportNetworkSettings = TINY, channels: int = 1) -> SupportNetwork:
    torch.manual_seed(0)
    made = build(described, channels, channels)
    assert isinstance(made, SupportNetwork)
    return made


def movie(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def gradient(made: SupportNetwork, x: Tensor, pixel: tuple[int, int]) -> Tensor:
    """Of one pixel of the first channel, with respect to everything that went in."""
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(made.translate(x)[0, 0, pixel[0], pixel[1]], x)
    return slope[0]


@settings(deadline=None, max_examples=15)
@given(
    st.integers(1, 47),
    st.integers(1, 47),
    st.data(),
    st.sampled_from(["batch", "none"]),
    st.booleans(),
)
def test_no_pixel_sees_itself(
    height: int, width: int, data: st.DataObject, norm: str, training: bool
) -> None:
    made = network(TINY.model_copy(update={"norm": norm})).train(training)
    x = movie(2, 5, 1, height, width)
    pixel = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    seen = gradient(made, x, pixel)
    assert seen[2, 0, pixel[0], pixel[1]] == 0


def test_every_other_pixel_near_and_every_frame_is_seen() -> None:
    made = network(SupportNetworkSettings(frames=5, widths=(8, 8), branch=16, head=(16,)))
    seen = gradient(made, movie(1, 5, 1, 41, 41), (20, 20))[:, 0] != 0
    near = seen[2, 18:23, 18:23]
    assert near.sum() == 24, "all but the hole"
    assert all(seen[t, 20, 20] for t in (0, 1, 3, 4))


@pytest.mark.parametrize("row", [SMALL, LARGE])
def test_no_map_of_a_row_of_holes_leads_back_to_its_pixel(
    row: tuple[int, tuple[int, ...]],
) -> None:
    made = BlindRow((1, 2), *row)
    x = movie(1, 1, 71, 71).requires_grad_()
    for found in made(x):
        (slope,) = torch.autograd.grad(found[0, :, 35, 35].sum(), x, retain_graph=True)
        assert slope[0, 0, 35, 35] == 0


def test_nothing_beyond_the_reach_is_seen() -> None:
    made = network(SupportNetworkSettings(frames=5, widths=(4, 4), branch=4, head=(4,)))
    r = made.local_reach("a2b")
    side = 2 * r + 9
    for pixel in (r + 4, r + 5):
        seen = gradient(made, movie(1, 5, 1, side, side), (pixel, pixel)).abs().sum((0, 1))
        rows, columns = torch.nonzero(seen, as_tuple=True)
        for at in (rows, columns):
            assert max(pixel - int(at.min()), int(at.max()) - pixel) <= r


def test_a_tile_with_its_halo_equals_the_whole_frame_bit_for_bit() -> None:
    made = network(SupportNetworkSettings(frames=5, widths=(4, 8, 8), branch=4)).eval()
    halo, stride = made.local_reach("a2b"), made.stride
    x = movie(1, 5, 1, 4 * halo, 4 * halo)
    core = slice(halo // stride * stride + stride, 2 * halo)
    read = slice(core.start - -(-halo // stride) * stride, core.stop + halo + stride)
    with torch.inference_mode():
        whole = made.translate(x)[..., core, core]
        tile = made.translate(x[..., read, read])
    inner = slice(core.start - read.start, core.stop - read.start)
    assert torch.equal(tile[..., inner, inner], whole)


def test_channels_are_denoised_apart() -> None:
    x = movie(2, 5, 3, 12, 10)
    together, alone = network(channels=3).eval(), network().eval()
    with torch.inference_mode():
        made = together.translate(x)
        one = alone.translate(x[:, :, 1:2])
    assert made.shape == (2, 3, 12, 10)
    assert torch.equal(made[:, 1:2], one)


def test_a_denoiser_keeps_the_number_of_channels() -> None:
    with pytest.raises(SettingsError, match="keeps channels"):
        build(TINY, 1, 2)


def test_an_even_number_of_frames_has_no_middle() -> None:
    with pytest.raises(ValueError, match="must be odd"):
        SupportNetworkSettings(frames=4)


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 4), (3, 16), (5, 9)])
def test_a_dilated_convolution_has_the_same_bits_in_any_tile(kernel: int, dilation: int) -> None:
    torch.manual_seed(0)
    layer = HoleConv2d(5, 4, kernel, dilation)
    x = movie(1, 5, 400, 402)
    margin = layer.margin[0]
    with torch.inference_mode():
        expected = layer.train()(x)
        whole = layer.eval()(x)
        tile = layer(x[..., 10:348, 13:352])
    inner = slice(margin, -margin)
    shifted = whole[..., 10:348, 13:352]
    assert torch.equal(tile[..., inner, inner], shifted[..., inner, inner])
    assert torch.allclose(whole, expected, atol=1e-5)
