from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from stable_tiles.intensity import Normalizer
from stable_tiles.region import Region
from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.blend import Blend
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.translate.pixels import Intensity
from stable_tiles.translate.render import Network, Renderer, Sheet

SAME = Normalizer((0.0,), (1.0,))
BLENDS: list[Blend] = ["crop", "linear", "hann", "gaussian"]


def identity(planes: Tensor, area: Region) -> Tensor:
    return planes


def blurred(planes: Tensor) -> Tensor:
    """A 3 x 3 convolution, summed in a fixed order so that its bits do not depend on size."""
    height, width = planes.shape[2:]
    padded = nn.functional.pad(planes, (1, 1, 1, 1))
    total = torch.zeros_like(planes)
    for tap in range(9):
        row, column = divmod(tap, 3)
        total += (tap + 1) / 45 * padded[:, :, row : row + height, column : column + width]
    return total


def pooled(planes: Tensor, area: Region) -> Tensor:
    """A network of stride 2 and reach 5: blur, pool, enlarge, blur."""
    small = nn.functional.max_pool2d(blurred(planes), 2)
    large = nn.functional.interpolate(small, scale_factor=2, mode="nearest")
    missing = (0, planes.shape[3] - large.shape[3], 0, planes.shape[2] - large.shape[2])
    return blurred(nn.functional.pad(large, missing))


def renderer(tiling: Tiling, size: tuple[int, int], dtype: str, period: int = 64) -> Renderer:
    y, x = (Window(n, 0, n, period) for n in size)
    return Renderer(TileGrid.cover(tiling, y, x), Intensity(SAME, SAME, dtype), 1)


@pytest.mark.parametrize("blend", BLENDS)
@given(st.integers(1, 150), st.integers(1, 150))
@settings(deadline=None, max_examples=15)
def test_a_constant_image_stays_constant_at_edges_and_corners(
    blend: Blend, height: int, width: int
) -> None:
    made = renderer(Tiling(48, 8, 4, blend), (height, width), "uint16")
    planes = np.full((1, 1, height, width), 40_000, np.uint16)
    whole = Region.whole((height, width))
    assert np.array_equal(made.render(Sheet(planes, whole), whole, identity).pixels, planes)


@given(st.integers(1, 150), st.integers(1, 150), st.sampled_from([24, 40, 64]))
@settings(deadline=None, max_examples=20)
def test_cropped_tiles_equal_the_whole_plane_bit_for_bit(
    height: int, width: int, period: int
) -> None:
    planes = np.random.default_rng(height).random((1, 1, max(2, height), max(2, width)), np.float32)
    size = (planes.shape[2], planes.shape[3])
    whole = Region.whole(size)
    made = renderer(Tiling(32, 6, 2, "crop"), size, "float32", period)
    expected = pooled(torch.from_numpy(planes), whole).numpy()
    assert np.array_equal(made.render(Sheet(planes, whole), whole, pooled).pixels, expected)


@pytest.mark.parametrize("blend", BLENDS)
def test_the_result_does_not_depend_on_how_the_plane_is_cut_into_regions(blend: Blend) -> None:
    planes = np.random.default_rng(1).random((2, 1, 130, 150), np.float32)
    made = renderer(Tiling(48, 8, 4, blend), (130, 150), "float32")
    whole = Region.whole((130, 150))
    expected = made.render(Sheet(planes, whole), whole, pooled).pixels
    for part in whole.divide((64, 64)):
        area = made.grid.reads(part)
        sheet = Sheet(planes[:, :, area.slices[0], area.slices[1]], area)
        pixels = made.render(sheet, part, pooled).pixels
        rows, columns = part.slices
        assert np.array_equal(pixels, expected[:, :, rows, columns])


@pytest.mark.parametrize("blend", ["crop", "hann"])
def test_error_channels_follow_the_output_and_are_never_clipped(blend: Blend) -> None:
    y, x = (Window(n, 0, n, 64) for n in (70, 80))
    grid = TileGrid.cover(Tiling(48, 8, 4, blend), y, x)
    made = Renderer(grid, Intensity(SAME, SAME, "uint8"), 1, errors=2)
    whole = Region.whole((70, 80))
    planes = np.full((1, 1, 70, 80), 200, np.uint8)

    def doubled(tile: Tensor, area: Region) -> Tensor:
        return torch.cat([2 * tile, tile, -tile], dim=1)

    canvas = made.render(Sheet(planes, whole), whole, doubled)
    assert np.all(canvas.pixels == 255)
    assert canvas.clipped == 70 * 80
    assert np.allclose(canvas.errors[0, 0], 200)
    assert np.allclose(canvas.errors[0, 1], -200)


def test_a_pixel_that_is_no_number_spreads_no_further_than_the_reach() -> None:
    planes = np.random.default_rng(2).random((1, 1, 120, 120), np.float32)
    planes[0, 0, 60, 60] = np.nan
    whole = Region.whole((120, 120))
    made = renderer(Tiling(40, 6, 2, "crop"), (120, 120), "float32")
    pixels = made.render(Sheet(planes, whole), whole, pooled).pixels[0, 0]
    rows, columns = np.nonzero(np.isnan(pixels))
    assert rows.size
    assert np.abs(np.stack([rows, columns]) - 60).max() <= 5


def full_above(pixels: int, seen: list[int]) -> Network:
    """`pooled` on a device whose memory is full with more pixels."""

    def network(planes: Tensor, area: Region) -> Tensor:
        count = len(planes) * planes.shape[2] * planes.shape[3]
        if count > pixels:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        seen.append(count)
        return pooled(planes, area)

    return network


@given(st.integers(20, 150), st.integers(20, 150), st.integers(1, 4), st.integers(900, 6000))
@settings(deadline=None, max_examples=25)
def test_a_full_device_gets_fewer_planes_then_smaller_tiles_and_makes_the_same_pixels(
    height: int, width: int, batch: int, pixels: int
) -> None:
    planes = np.random.default_rng(height).random((3, 1, height, width), np.float32)
    whole, counted, seen = Region.whole((height, width)), [], list[int]()
    made = replace(
        renderer(Tiling(64, 6, 2, "crop"), (height, width), "float32"),
        batch=batch,
        when_full=lambda: counted.append(1),
    )
    expected = made.render(Sheet(planes, whole), whole, pooled).pixels
    assert not counted
    cut = made.render(Sheet(planes, whole), whole, full_above(pixels, seen)).pixels
    assert np.array_equal(cut, expected)
    assert max(seen) <= pixels
    largest = min(batch, 3) * made.grid.largest[0] * made.grid.largest[1]
    assert bool(counted) == (largest > pixels)


@pytest.mark.parametrize("blend", ["hann", "crop"])
def test_what_never_fits_says_so(blend: Blend) -> None:
    planes = np.zeros((1, 1, 64, 64), np.float32)
    made, whole = renderer(Tiling(48, 8, 4, blend), (64, 64), "float32"), Region.whole((64, 64))
    with pytest.raises(torch.cuda.OutOfMemoryError):
        made.render(Sheet(planes, whole), whole, full_above(10, []))
