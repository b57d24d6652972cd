from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError, WorkFailed
from stable_tiles.image.store import Image
from stable_tiles.settings import DataSettings, Normalization
from stable_tiles.train.loader import ahead
from stable_tiles.train.patches import Patches
from stable_tiles.train.schedule import orient
from tests.train.stores import random_pixels, write_store

PLAIN = Normalization(kind="none")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Image]:
    folder = tmp_path_factory.mktemp("stores")
    shapes = [(2, 3, 2, 70, 53), (1, 3, 1, 16, 40)]
    return [
        write_store(folder / f"{i}.zarr", random_pixels(shape, i)) for i, shape in enumerate(shapes)
    ]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 100_000), st.integers(0, 9), st.sampled_from([None, (1,), (2, 0)]))
def test_a_patch_is_what_the_store_holds_at_its_place(
    images: list[Image], index: int, seed: int, channels: tuple[int, ...] | None
) -> None:
    data = DataSettings(patch=16, normalize=PLAIN)
    patches = Patches(images, data, (seed, 0), channels)
    cut = patches.schedule.cut(index)
    image = images[cut.block.image]
    t, z = divmod(cut.block.plane, image.shape[2])
    y, x = cut.origin
    plane = np.asarray(image.levels[0].array)[t, :, z]
    expected = plane[list(channels or range(3)), y : y + 16, x : x + 16]
    assert expected.shape[1:] == (16, 16)
    np.testing.assert_array_equal(patches.patch(index), orient(expected, cut.orientation))
    assert patches.patch(index).dtype == np.float32


def test_patches_are_normalised_by_their_own_images_percentiles(tmp_path: Path) -> None:
    dark = write_store(tmp_path / "dark.zarr", random_pixels((1, 1, 1, 64, 64), 0))
    bright = random_pixels((1, 1, 1, 64, 64), 1, "uint16") * np.uint16(100)
    images = [dark, write_store(tmp_path / "bright.zarr", bright)]
    patches = Patches(images, DataSettings(patch=32), (0, 0))
    drawn = np.stack([patches.patch(i) for i in range(64)])
    assert -0.1 < drawn.min() < 0.05
    assert 0.95 < drawn.max() < 1.1
    assert {patches.schedule.cut(i).block.image for i in range(64)} == {0, 1}


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_sequence_is_the_same_for_any_number_of_loader_threads(
    images: list[Image], workers: int
) -> None:
    data = DataSettings(patch=16, batch=3)
    alone = [b.tobytes() for b in ahead(Patches(images, data, (5, 1)).batch, range(30), 0)]
    threads = ahead(Patches(images, data, (5, 1)).batch, range(30), workers)
    assert [batch.tobytes() for batch in threads] == alone


def test_the_sequence_can_be_entered_anywhere(images: list[Image]) -> None:
    data = DataSettings(patch=16, batch=2)
    whole = [Patches(images, data, (5, 1)).batch(step) for step in range(40)]
    late = Patches(images, data, (5, 1))
    for step in (39, 17):
        np.testing.assert_array_equal(late.batch(step), whole[step])


def test_decoded_pixels_stay_within_half_the_cache(images: list[Image]) -> None:
    data = DataSettings(patch=16, cache_bytes=40_000)
    patches = Patches(images, data, (0, 0))
    for index in range(300):
        patches.patch(index)
        assert patches.cache.bytes <= 20_000


def test_patches_come_at_the_wanted_pixel_size(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:96, :96].astype(np.float32)
    pixels = (rows + 2 * columns)[None, None, None]
    image = write_store(tmp_path / "fine.zarr", pixels, scale={"y": 0.25, "x": 0.25})
    data = DataSettings(patch=16, normalize=PLAIN, pixel_size_um=0.75, augment=False)
    patches = Patches([image], data, (0, 0))
    assert patches.schedule.fields[0].patch == (24, 24), "the level of 0.5 um, 24 of its pixels"
    patch = patches.patch(0)[0]
    assert patch.shape == (16, 16)
    inner = patch[3:-3, 3:-3]
    np.testing.assert_allclose(np.diff(inner, axis=0).mean(), 3.0, rtol=0.02)
    np.testing.assert_allclose(np.diff(inner, axis=1).mean(), 6.0, rtol=0.02)


def test_a_small_image_is_refused_by_name_and_size(images: list[Image]) -> None:
    with pytest.raises(InputError, match=r"patches of 32 px do not fit into 1\.zarr \(16 x 40 px"):
        Patches(images, DataSettings(patch=32), (0, 0))


def test_images_of_different_channels_are_refused(images: list[Image], tmp_path: Path) -> None:
    grey = write_store(tmp_path / "grey.zarr", random_pixels((1, 1, 1, 64, 64)))
    with pytest.raises(InputError, match=r"grey\.zarr has 1 channels but 0\.zarr has 3"):
        Patches([*images, grey], DataSettings(patch=16), (0, 0))


@pytest.mark.parametrize("channels", [(3,), (-1,), ()])
def test_channels_that_do_not_exist_are_refused(
    images: list[Image], channels: tuple[int, ...]
) -> None:
    with pytest.raises(InputError, match=r"0\.zarr has the channels 0\.\.2"):
        Patches(images, DataSettings(patch=16), (0, 0), channels)


def test_a_pixel_size_is_needed_to_bring_images_to_one(images: list[Image]) -> None:
    with pytest.raises(InputError, match=r"0\.zarr has no pixel size in micrometres"):
        Patches(images, DataSettings(patch=16, pixel_size_um=0.5), (0, 0))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_named_with_store_and_position(tmp_path: Path, bad: float) -> None:
    pixels = random_pixels((1, 1, 2, 32, 32), dtype="float32")
    pixels[0, 0, 1, 7, 20] = bad
    image = write_store(tmp_path / "holes.zarr", pixels)
    patches = Patches([image], DataSettings(patch=32, batch=40, normalize=PLAIN), (0, 0))
    where = r"holes\.zarr level 0, t 0, z 1, y 7, x 20: holds NaN or infinity"
    with pytest.raises(WorkFailed, match=where):
        patches.batch(0)


def test_a_broken_chunk_is_named_with_store_and_position(tmp_path: Path) -> None:
    image = write_store(tmp_path / "torn.zarr", random_pixels((1, 1, 1, 32, 32)))
    chunk = next(f for f in (tmp_path / "torn.zarr" / "0" / "c").rglob("*") if f.is_file())
    chunk.write_bytes(chunk.read_bytes()[:20])
    patches = Patches([image], DataSettings(patch=16, normalize=PLAIN), (0, 0))
    with pytest.raises(WorkFailed, match=r"torn\.zarr level 0, t 0, z 0, y 0, x 0: cannot be"):
        patches.batch(0)
