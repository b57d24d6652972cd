from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import ome_zarr_models
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError, NotAnImage, OutputExists, StoreNotFound
from stable_tiles.image.pyramid import halve
from stable_tiles.image.store import open_image
from stable_tiles.image.writer import partial_folder
from stable_tiles.region import Region
from tests.image.stores import begin, cut, write_store


def noise(shape: tuple[int, ...], dtype: str = "uint16", seed: int = 0) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


LAYOUTS = [
    ("yx", (300, 457), "uint16", 128),
    ("yx", (300, 457), "uint16", 0),
    ("yx", (257, 130), "uint8", 192),
    ("cyx", (3, 130, 257), "uint8", 128),
    ("tcyx", (3, 2, 100, 90), "float32", 128),
    ("tczyx", (2, 2, 3, 70, 129), "int16", 64),
]


@pytest.mark.parametrize(("axes", "shape", "dtype", "shard"), LAYOUTS)
def test_a_store_gives_back_its_pixels_and_every_level_is_the_mean_of_the_finer_one(
    tmp_path: Path, axes: str, shape: tuple[int, ...], dtype: str, shard: int
) -> None:
    pixels = noise(shape, dtype)
    image = write_store(tmp_path / "a.zarr", pixels, axes, shard=shard)
    level = pixels
    for k, stored in enumerate(image.levels):
        assert np.array_equal(np.asarray(stored.array[...]), level), f"level {k}"
        level = halve(level)
    assert image.dtype == pixels.dtype
    ome_zarr_models.open_ome_zarr(zarr.open_group(str(tmp_path / "a.zarr"), mode="r"))


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(list(range(12))), again=st.integers(0, 11))
def test_any_order_and_repetition_of_regions_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], again: int
) -> None:
    folder = tmp_path_factory.mktemp("order")
    pixels = noise((300, 457))
    write_store(folder / "reference.zarr", pixels)
    writer = begin(folder / "shuffled.zarr", pixels, "yx")
    regions = writer.spec.layout.regions()
    assert len(regions) == len(order)
    canonical = pixels.reshape(1, 1, 1, 300, 457)
    for number in [*order, again]:
        writer.write(regions[number], cut(canonical, regions[number]))
    writer.seal(folder / "shuffled.zarr", {"kind": "source"})
    for level in ("0", "1", "2", "3"):
        assert digests(folder / "shuffled.zarr" / level) == digests(
            folder / "reference.zarr" / level
        )


def test_an_unfinished_store_is_no_image_and_says_how_to_go_on(tmp_path: Path) -> None:
    target = tmp_path / "a.zarr"
    writer = begin(target, noise((300, 457)), "yx")
    assert not target.exists()
    with pytest.raises(StoreNotFound, match="--resume"):
        open_image(target)
    with pytest.raises(NotAnImage):
        open_image(writer.store)
    assert partial_folder(target).is_dir()


def test_a_region_that_would_share_a_shard_is_refused(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.zarr", noise((300, 457)), "yx")
    with pytest.raises(ValueError, match="share a shard"):
        writer.write(Region((0, 0, 0, 0), (1, 1, 64, 64)), np.zeros((1, 1, 1, 64, 64), np.uint16))
    first = writer.spec.layout.regions()[0]
    with pytest.raises(ValueError, match="uint8"):
        writer.write(first, np.zeros((1, 1, 1, *first.shape[2:]), np.uint8))


def test_an_existing_output_is_kept_unless_replaced_on_purpose(tmp_path: Path) -> None:
    target = tmp_path / "a.zarr"
    write_store(target, noise((64, 64)))
    before = digests(target)
    writer = begin(target, noise((64, 64), seed=1), "yx")
    region = writer.spec.layout.regions()[0]
    writer.write(region, np.ones((1, 1, 1, 64, 64), np.uint16))
    with pytest.raises(OutputExists, match="--overwrite"):
        writer.seal(target, {"kind": "source"})
    assert digests(target) == before
    writer.seal(target, {"kind": "source"}, overwrite=True)
    assert np.all(open_image(target).read(Region.whole((1, 1, 64, 64))) == 1)
    assert not partial_folder(target).exists()


def test_empty_chunks_are_written_too(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", np.zeros((130, 130), np.uint8))
    assert len(list((tmp_path / "a.zarr/0/c").rglob("*"))) >= 4


def test_a_dot_keeps_its_place_on_every_level(tmp_path: Path) -> None:
    pixels = np.zeros((203, 301), np.float32)
    pixels[96:104, 144:152] = 1.0
    image = write_store(tmp_path / "a.zarr", pixels)
    array = zarr.open_group(str(tmp_path / "a.zarr"), mode="r")
    datasets: Any = array.attrs["ome"]
    for level, dataset in zip(image.levels, datasets["multiscales"][0]["datasets"], strict=True):
        scale, shift = dataset["coordinateTransformations"]
        plane = np.asarray(level.array[...], np.float64)
        for axis, expected in ((0, 99.5), (1, 147.5)):
            centre = np.average(np.arange(plane.shape[axis]), weights=plane.sum(1 - axis))
            place = centre * scale["scale"][axis] + shift["translation"][axis]
            assert place == pytest.approx(expected * 0.5, abs=0.05)


def test_version_4_cannot_have_shards() -> None:
    from dataclasses import replace

    from stable_tiles.axes import Axes
    from stable_tiles.image.layout import plan_layout
    from stable_tiles.image.ngff import Channel
    from stable_tiles.image.spec import ImageSpec

    layout = plan_layout((1, 1, 1, 64, 64), 1)
    spec = ImageSpec(Axes.named("yx"), layout, "uint8", (Channel("c"),))
    with pytest.raises(InputError, match="--shard 0"):
        replace(spec, ngff="0.4")
