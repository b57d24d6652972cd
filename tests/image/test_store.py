from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError, NotAnImage, StoreNotFound, WorkFailed
from stable_tiles.image.store import open_image
from stable_tiles.region import Region
from stable_tiles.settings import Normalization
from tests.image.stores import write_store

SHAPE = (3, 2, 2, 90, 70)
PIXELS = np.random.default_rng(0).integers(0, 60000, SHAPE).astype(np.uint16)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("store") / "a.zarr"
    write_store(target, PIXELS, "tczyx", chunk=32, shard=64)
    return target


SPANS = [st.tuples(st.integers(0, n - 1), st.integers(1, n)) for n in (3, 2, 90, 70)]


@settings(max_examples=40, deadline=None)
@given(spans=st.tuples(*SPANS), channels=st.sampled_from([None, (0,), (1,), (0, 1), (1, 0)]))
def test_any_region_and_channels_read_as_numpy_would(
    path: Path, spans: tuple[tuple[int, int], ...], channels: tuple[int, ...] | None
) -> None:
    starts = tuple(a for a, _ in spans)
    stops = tuple(min(a + n, m) for (a, n), m in zip(spans, (3, 2, 90, 70), strict=True))
    region = Region(starts, stops)
    t, z, y, x = region.slices
    expected = PIXELS[t, :, z, y, x][:, list(channels or (0, 1))]
    assert np.array_equal(open_image(path).read(region, channels=channels), expected)


def test_percentiles_that_are_not_stored_are_counted(path: Path) -> None:
    image = open_image(path)
    rows = image.percentiles((12.5, 99.9))
    for channel, row in enumerate(rows):
        np.testing.assert_allclose(row, np.percentile(PIXELS[:, channel], (12.5, 99.9)))
    assert image.percentiles((0.1, 99.9))[0][0] == image.percentiles((0.1,))[0][0]


def test_a_normalizer_per_channel_maps_each_channels_percentiles(path: Path) -> None:
    image = open_image(path)
    normalizer = image.normalizer(Normalization(low=1, high=99, per="channel"))
    np.testing.assert_allclose(normalizer.low, [np.percentile(PIXELS[:, c], 1) for c in (0, 1)])


def test_coordinates_of_the_data_array_are_pixel_centres(path: Path) -> None:
    coarse = open_image(path).to_xarray(1)
    assert coarse.dims == ("t", "c", "z", "y", "x")
    assert float(coarse.y[0]) == 0.25
    assert float(coarse.y[1]) == 1.25
    assert np.array_equal(open_image(path).to_xarray()[1, 0, 1].values, PIXELS[1, 0, 1])


def test_the_digest_tells_two_images_apart(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 60000, (90, 70)).astype(np.uint16)
    one = write_store(tmp_path / "one.zarr", noise)
    same = write_store(tmp_path / "same.zarr", noise)
    other = write_store(tmp_path / "other.zarr", noise // 2)
    assert one.digest() == same.digest() != other.digest()


def test_what_is_no_image_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound, match="no store"):
        open_image(tmp_path / "nothing.zarr")
    (tmp_path / "text.zarr").write_text("hello")
    with pytest.raises(NotAnImage):
        open_image(tmp_path / "text.zarr")
    zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    with pytest.raises(NotAnImage, match="multiscales"):
        open_image(tmp_path / "group.zarr")


def test_a_level_that_is_gone_is_named(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", np.zeros((300, 300), np.uint8))
    shutil.rmtree(tmp_path / "a.zarr" / "1")
    with pytest.raises(NotAnImage, match="'1'"):
        open_image(tmp_path / "a.zarr")


def test_a_flipped_bit_is_an_error_that_names_store_and_region(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", PIXELS[0, 0, 0])
    shard = next(f for f in (tmp_path / "a.zarr/0/c").rglob("*") if f.is_file())
    content = bytearray(shard.read_bytes())
    content[200] ^= 1
    shard.write_bytes(content)
    with pytest.raises(WorkFailed, match=r"a\.zarr level 0.*info --verify"):
        open_image(tmp_path / "a.zarr").read(Region.whole((1, 1, 90, 70)))


def test_a_chunk_that_decodes_to_gigabytes_is_refused(tmp_path: Path) -> None:
    image = write_store(tmp_path / "a.zarr", np.zeros((64, 64), np.uint8))
    attributes = dict(zarr.open_group(image.path, mode="r").attrs)
    group = zarr.open_group(str(tmp_path / "bomb.zarr"), mode="w")
    group.create_array("0", shape=(40000, 40000), chunks=(40000, 40000), dtype="uint8")
    group.attrs.put(attributes)
    with pytest.raises(InputError, match="rechunk"):
        open_image(tmp_path / "bomb.zarr")


def test_real_stores_of_other_tools_open(shared_data: Path) -> None:
    folder = shared_data / "8_formats/zarr/neuroglancer_zarr/ome_zarr"
    for name, version in (("simple_0.4", "0.4"), ("simple_0.5", "0.5")):
        image = open_image(folder / name)
        assert image.multiscale.version == version
        t, _, z, y, x = image.shape
        assert image.read(Region.whole((t, z, y, x))).shape == image.shape
