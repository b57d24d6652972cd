from __future__ import annotations

from pathlib import Path

import numpy as np

from stable_tiles.image.store import open_image
from stable_tiles.napari.layers import STORE, layers_of, reader
from tests.image.stores import write_store
from tests.translate.scenes import noise, save_image


def test_a_colour_image_is_one_layer_with_its_levels(tmp_path: Path) -> None:
    pixels = noise(1, 3, 1, 150, 170)[0, :, 0]
    image = write_store(tmp_path / "slide.zarr", pixels, "cyx")
    ((data, arguments, kind),) = layers_of(image)
    assert (kind, arguments["rgb"], arguments["multiscale"]) == ("image", True, True)
    assert np.array_equal(np.asarray(data[0]), np.moveaxis(pixels, 0, -1))
    assert [level.shape for level in data] == [(150, 170, 3), (75, 85, 3), (38, 43, 3)]
    assert arguments["name"] == "slide"
    assert arguments["scale"] == (0.5, 0.5)
    assert arguments["units"] == ("micrometer", "micrometer")
    assert arguments["metadata"] == {STORE: str(tmp_path / "slide.zarr")}


def test_channels_are_layers_of_their_own_with_a_window_each(tmp_path: Path) -> None:
    pixels = noise(2, 2, 1, 40, 50, dtype="uint16")
    pixels[:, 1] //= 7
    save_image(tmp_path / "movie.zarr", pixels, "tcyx", t=0.5, y=0.25, x=0.25)
    layers = layers_of(open_image(tmp_path / "movie.zarr"))
    assert [arguments["name"] for _, arguments, _ in layers] == ["movie s0", "movie s1"]
    for index, (data, arguments, _) in enumerate(layers):
        assert np.array_equal(np.asarray(data), pixels[:, index, 0])
        assert arguments["axis_labels"] == ("t", "y", "x")
        assert arguments["scale"] == (0.5, 0.25, 0.25)
        assert arguments["units"] == ("second", "micrometer", "micrometer")
        low, high = arguments["contrast_limits"]
        assert pixels[:, index].min() <= low < high <= pixels[:, index].max()


def test_a_constant_image_has_a_window_all_the_same(tmp_path: Path) -> None:
    image = write_store(tmp_path / "a.zarr", np.full((30, 40), 7, np.uint8))
    assert layers_of(image)[0][1]["contrast_limits"] == (7.0, 8.0)


def test_the_reader_takes_images_and_leaves_the_rest_to_others(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", np.zeros((30, 40), np.uint8))
    (tmp_path / "b.zarr").mkdir()
    opened = reader(str(tmp_path / "a.zarr"))
    assert opened is not None
    assert opened(str(tmp_path / "a.zarr"))[0][2] == "image"
    assert reader(str(tmp_path / "b.zarr")) is None
    assert reader([str(tmp_path / "a.zarr")]) is None
