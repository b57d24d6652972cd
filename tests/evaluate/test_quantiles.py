from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stable_tiles.evaluate.quantiles import limits, percentiles
from tests.image.stores import write_store

PERCENTS = (0, 0.1, 37.3, 50, 99.9, 100)
FLOATS = st.floats(-1e6, 1e6, width=32)


@given(pixels=arrays(np.float32, (7, 9), elements=FLOATS))
@settings(deadline=None, max_examples=30)
def test_percentiles_of_floats_are_those_of_numpy(
    tmp_path_factory: pytest.TempPathFactory,
    pixels: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    image = write_store(tmp_path_factory.mktemp("q") / "a.zarr", pixels)
    expected = np.percentile(pixels.astype(np.float64), PERCENTS)
    assert percentiles(image, PERCENTS)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert limits(image) == (pixels.min(), pixels.max())


def test_nan_is_not_counted(tmp_path: Path) -> None:
    pixels = np.array([[np.nan, 1, 2], [3, 4, np.nan]], np.float32)
    image = write_store(tmp_path / "a.zarr", pixels)
    assert percentiles(image, (0, 50, 100)) == [[1, 2.5, 4]]
    assert limits(image) == (1, 4)


def test_nothing_but_nan_has_no_percentile(tmp_path: Path) -> None:
    image = write_store(tmp_path / "a.zarr", np.full((5, 5), np.nan, np.float32))
    assert np.isnan(percentiles(image, (0, 100))).all()
    assert np.isnan(limits(image)).all()


def test_channels_have_their_own(tmp_path: Path) -> None:
    pixels = np.stack([np.full((5, 5), value, np.uint16) for value in (3, 900)])
    image = write_store(tmp_path / "a.zarr", pixels, "cyx")
    assert percentiles(image, (0.1, 99.9)) == [[3, 3], [900, 900]]
    assert limits(image) == (3, 900)
