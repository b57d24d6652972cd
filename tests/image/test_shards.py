from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel
from stable_tiles.image.shards import region_files
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import create_store


def spec_of(shape: tuple[int, int, int, int, int], shard: int) -> ImageSpec:
    layout = plan_layout(shape, 1, chunk=16, shard=shard)
    channels = tuple(Channel(str(k)) for k in range(shape[1]))
    return ImageSpec(Axes.named("tczyx"), layout, "uint8", channels, "0.5" if shard else "0.4")


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), *2 * [st.integers(1, 150)])
)
@settings(deadline=None, max_examples=30)
def test_no_two_regions_share_a_file(shape: tuple[int, int, int, int, int]) -> None:
    spec = spec_of(shape, 32)
    files = [path for region in spec.layout.regions() for path in region_files(spec, region)]
    assert len(files) == len(set(files))


@pytest.mark.parametrize("shard", [0, 32])
def test_the_files_named_are_those_written(tmp_path: Path, shard: int) -> None:
    spec = spec_of((2, 2, 1, 70, 45), shard)
    writer = create_store(tmp_path / "a.zarr", spec, {})
    store = tmp_path / "a.zarr.partial" / "store"
    for region in spec.layout.regions():
        before = {path for path in store.rglob("*") if path.is_file()}
        t, z, y, x = region.shape
        writer.write(region, np.full((t, 2, z, y, x), 7, np.uint8))
        after = {path for path in store.rglob("*") if path.is_file()}
        written = {str(path.relative_to(store)) for path in after - before}
        assert written == set(region_files(spec, region))
