from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stable_tiles.errors import InputError
from stable_tiles.evaluate.images import correlation
from tests.image.stores import write_store

RNG = np.random.default_rng(0)


def test_correlation_equals_numpy_channel_by_channel(tmp_path: Path) -> None:
    truth = RNG.integers(30000, 31000, (2, 2, 200, 150)).astype(np.uint16)
    guess = (truth + RNG.normal(0, 300, truth.shape)).astype(np.uint16)
    found = correlation(
        write_store(tmp_path / "a.zarr", guess, "tcyx"),
        write_store(tmp_path / "b.zarr", truth, "tcyx"),
    )
    for channel, value in enumerate(found):
        pair = guess[:, channel].ravel(), truth[:, channel].ravel()
        assert value == pytest.approx(np.corrcoef(*pair)[0, 1], abs=1e-9)


def test_an_inverted_image_correlates_with_minus_one(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 255, (90, 90)).astype(np.uint8)
    a = write_store(tmp_path / "a.zarr", pixels)
    b = write_store(tmp_path / "b.zarr", 255 - pixels)
    assert correlation(a, b) == [pytest.approx(-1)]


def test_a_constant_image_has_no_correlation(tmp_path: Path) -> None:
    a = write_store(tmp_path / "a.zarr", np.full((90, 90), 7, np.uint8))
    assert np.isnan(correlation(a, a)[0])


def test_images_of_other_shapes_are_refused(tmp_path: Path) -> None:
    a = write_store(tmp_path / "a.zarr", np.zeros((90, 90), np.uint8))
    b = write_store(tmp_path / "b.zarr", np.zeros((90, 91), np.uint8))
    with pytest.raises(InputError, match="one shape"):
        correlation(a, b)
