from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError
from stable_tiles.image.layout import SHARD_BYTES, Layout, plan_layout

SHAPES = st.tuples(
    st.integers(1, 9),
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(1, 700),
    st.integers(1, 700),
)


def shards_of(layout: Layout, level: int) -> tuple[int, int, int, int]:
    grid = layout.levels[level].shards or layout.levels[level].chunks
    return grid[0], grid[2], grid[3], grid[4]


@settings(max_examples=150, deadline=None)
@given(SHAPES, st.sampled_from([16, 32, 50]), st.sampled_from([0, 1, 2, 3, 4, 8]))
def test_regions_partition_the_image_and_own_their_shards(
    shape: tuple[int, int, int, int, int], chunk: int, multiple: int
) -> None:
    layout = plan_layout(shape, 2, chunk=chunk, shard=chunk * multiple)
    count = np.zeros((shape[0], shape[2], shape[3], shape[4]), np.uint8)
    owner: dict[tuple[int, ...], int] = {}
    for number, region in enumerate(layout.regions()):
        count[region.slices] += 1
        start, stop = list(region.start), list(region.stop)
        for level in range(layout.owned):
            scale = (1, 1, 2**level, 2**level)
            low = [a // n for a, n in zip(start, scale, strict=True)]
            high = [-(-b // n) for b, n in zip(stop, scale, strict=True)]
            grid = shards_of(layout, level)
            assert all(a % n == 0 for a, n in zip(low, grid, strict=True))
            cells = [range(a // n, -(-b // n)) for a, b, n in zip(low, high, grid, strict=True)]
            for cell in np.ndindex(*[len(r) for r in cells]):
                key = (level, *(r[i] for r, i in zip(cells, cell, strict=True)))
                assert owner.setdefault(key, number) == number, "two regions share a shard"
    assert np.all(count == 1)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from([16, 32]))
def test_shards_are_whole_chunks_and_levels_halve_up(
    shape: tuple[int, int, int, int, int], chunk: int
) -> None:
    layout = plan_layout(shape, 1, chunk=chunk, shard=4 * chunk)
    for k, level in enumerate(layout.levels):
        assert level.shape[3:] == (-(-shape[3] // 2**k), -(-shape[4] // 2**k))
        assert level.shards is not None
        assert all(s % c == 0 for s, c in zip(level.shards, level.chunks, strict=True))
    assert max(layout.levels[-1].shape[3:]) <= chunk


@pytest.mark.parametrize(
    ("shape", "itemsize", "expected"),
    [
        ((1, 3, 1, 100_000, 100_000), 1, (1, 1, 4096, 4096)),
        ((2000, 1, 1, 512, 512), 2, (128, 1, 512, 512)),
        ((1, 1, 100, 256, 256), 2, (1, 100, 256, 256)),
        ((600, 1, 10, 128, 128), 2, (204, 10, 128, 128)),
    ],
    ids=["slide", "movie", "volume", "movie of volumes"],
)
def test_shards_of_planes_stay_near_64_mib(
    shape: tuple[int, ...], itemsize: int, expected: tuple[int, ...]
) -> None:
    layout = plan_layout(shape, itemsize, rgb=shape[1] == 3)
    assert layout.region_shape == expected
    shards = layout.levels[0].shards
    assert shards is not None
    assert prod(shards) * itemsize <= 1.5 * SHARD_BYTES


@pytest.mark.parametrize(("chunk", "shard", "levels"), [(512, 1000, 1), (0, 0, 1), (64, 64, 0)])
def test_impossible_sizes_are_refused(chunk: int, shard: int, levels: int) -> None:
    with pytest.raises(InputError, match="use"):
        plan_layout((1, 1, 1, 100, 100), 1, chunk=chunk, shard=shard, levels=levels)
