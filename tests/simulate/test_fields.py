from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.simulate.fields import Field, Volume
from stable_tiles.simulate.streams import Stream


@given(st.integers(-500, 10**6), st.integers(-500, 10**6), st.floats(2, 200))
@settings(deadline=None, max_examples=20)
def test_a_box_and_its_points_agree_anywhere(y: int, x: int, pitch: float) -> None:
    field = Field(Stream((0, "f")), pitch)
    box = field.over((y, x, y + 9, x + 12))
    rows, columns = np.mgrid[y : y + 9, x : x + 12].astype(float)
    np.testing.assert_allclose(field.at(rows, columns), box, atol=1e-12)
    np.testing.assert_allclose(field.over((y + 3, x + 2, y + 5, x + 8)), box[3:5, 2:8], atol=1e-12)


def test_a_field_has_mean_zero_and_variance_one() -> None:
    values = Field(Stream((0, "f")), 3.0).over((0, 0, 600, 600))
    assert abs(values.mean()) < 0.05
    assert 0.9 < values.std() < 1.1


def test_a_field_is_smooth_over_its_pitch() -> None:
    values = Field(Stream((0, "f")), 40.0).over((0, 0, 300, 300))
    assert np.abs(np.diff(values, axis=0)).max() < 0.2
    assert np.corrcoef(values[120:].ravel(), values[:-120].ravel())[0, 1] < 0.3


@given(st.integers(-500, 10**6), st.floats(-300, 300), st.floats(2, 50))
@settings(deadline=None, max_examples=15)
def test_a_volume_agrees_in_a_box_and_at_points_of_any_height(
    y: int, height: float, pitch: float
) -> None:
    volume = Volume(Stream((0, "v")), pitch, 3.0)
    rows, columns = np.mgrid[y : y + 6, 5:12].astype(float)
    box = volume.over((y, 5, y + 6, 12), height)
    np.testing.assert_allclose(volume.at(rows, columns, height), box, atol=1e-12)
    np.testing.assert_allclose(volume.over((y, 5, y + 6, 12), height + 1e-3), box, atol=0.02)


def test_a_volume_has_mean_zero_and_variance_one_in_all_directions() -> None:
    volume = Volume(Stream((0, "v")), 3.0)
    values = np.stack([volume.over((0, 0, 90, 90), height) for height in range(90)])
    assert abs(values.mean()) < 0.05
    assert 0.9 < values.std() < 1.1
    slopes = [np.diff(values, axis=axis).std() for axis in range(3)]
    assert max(slopes) < 1.1 * min(slopes)
