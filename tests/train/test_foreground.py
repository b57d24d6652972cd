from pathlib import Path

import numpy as np
from skimage.color import rgb2hsv

from stable_tiles.settings import DataSettings, Normalization
from stable_tiles.train.foreground import Foreground, saturation
from stable_tiles.train.patches import Patches
from tests.train.stores import write_store

RGB = ["FF0000", "00FF00", "0000FF"]


def test_what_is_bright_is_foreground(tmp_path: Path) -> None:
    pixels = np.full((1, 1, 2, 128, 128), 10, np.uint16)
    pixels[0, 0, 1, :40, 80:] = 500
    image = write_store(tmp_path / "spot.zarr", pixels)
    shown = Foreground(image, 0, 32)
    assert shown.at(1, 20, 100)
    assert not shown.at(1, 20, 60)
    assert not shown.at(1, 60, 100)
    assert not shown.at(0, 20, 100)
    assert shown.at(1, 0, 128), "a centre may lie on the border"


def test_in_colour_images_what_is_saturated_is_foreground(tmp_path: Path) -> None:
    pixels = np.full((1, 3, 1, 64, 64), 240, np.uint8)
    pixels[0, :, 0, 20:40, 20:40] = np.array([200, 120, 190])[:, None, None]
    pixels[0, :, 0, 50:, :] = 25  # a shadow
    pixels[0, :, 0, :, 60:] = 0  # a black margin
    shown = Foreground(write_store(tmp_path / "he.zarr", pixels, colors=RGB), 0, 16)
    assert shown.at(0, 30, 30)
    for y, x in ((5, 5), (55, 20), (30, 62)):
        assert not shown.at(0, y, x)


def test_saturation_is_that_of_hsv() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 40)).astype(np.uint8)
    pixels[:, 0, 0] = 0
    expected = rgb2hsv(pixels, channel_axis=0)[1]
    np.testing.assert_allclose(saturation(pixels), expected, atol=1e-6)


def test_in_colour_images_without_colours_what_is_dark_is_foreground(tmp_path: Path) -> None:
    pixels = np.full((1, 3, 1, 64, 64), 240, np.uint8)
    pixels[0, :, 0, 20:40, 20:40] = 90
    shown = Foreground(write_store(tmp_path / "tissue.zarr", pixels, colors=RGB), 0, 16)
    assert shown.at(0, 30, 30)
    assert not shown.at(0, 5, 5)


def test_an_empty_image_has_no_foreground(tmp_path: Path) -> None:
    image = write_store(tmp_path / "empty.zarr", np.zeros((1, 1, 1, 64, 64), np.uint8))
    assert not Foreground(image, 0, 16).at(0, 30, 30)


def test_patches_of_a_sparse_image_show_its_tissue_when_asked_to(tmp_path: Path) -> None:
    pixels = np.zeros((1, 1, 1, 256, 256), np.uint8)
    pixels[..., 200:230, 200:230] = 200
    image = write_store(tmp_path / "sparse.zarr", pixels)
    data = DataSettings(patch=16, foreground=1.0, normalize=Normalization(kind="none"))
    patches = Patches([image], data, (0, 0))
    shown = [patches.patch(i).max() > 0 for i in range(64)]
    assert np.mean(shown) > 0.9
