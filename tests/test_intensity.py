from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.intensity import Histogram, Normalizer, fit_normalizer
from stable_tiles.settings import Normalization

PERCENTS = (0, 0.1, 1, 33.3, 50, 99.9, 100)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "bool"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 50))
def test_percentiles_of_integers_equal_numpy(dtype: str, seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = (0, 2) if dtype == "bool" else (np.iinfo(dtype).min, int(np.iinfo(dtype).max) + 1)
    block = rng.integers(low, high, (1, 2, 1, size, 3)).astype(dtype)
    histogram = Histogram(2, dtype)
    histogram.update(block[..., :1])
    other = Histogram(2, dtype)
    other.update(block[..., 1:])
    histogram.merge(other)
    for channel, row in enumerate(histogram.percentiles(PERCENTS)):
        expected = np.percentile(block[:, channel].astype(float), PERCENTS)
        np.testing.assert_allclose(row, expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint32", "int32"])
def test_percentiles_of_wide_pixels_are_within_a_bin(dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = (rng.lognormal(5, 2, 5000) * rng.choice([-1, 1], 5000)).astype(dtype)
    histogram = Histogram(1, dtype)
    histogram.update(values.reshape(1, 1, 1, 50, 100))
    expected = np.percentile(values.astype(float), PERCENTS)
    np.testing.assert_allclose(histogram.percentiles(PERCENTS)[0], expected, rtol=2e-3, atol=1.0)


def test_nan_is_not_counted_and_an_empty_channel_is_nan() -> None:
    block = np.full((1, 2, 1, 2, 2), np.nan, np.float32)
    block[0, 0, 0, 0, 0] = 3.0
    histogram = Histogram(2, np.float32)
    histogram.update(block)
    first, second = histogram.percentiles((50,))
    assert first[0] == pytest.approx(3.0, rel=1e-3)
    assert np.isnan(second[0])


@given(low=st.floats(-1e4, 1e4), span=st.floats(1e-2, 1e5), seed=st.integers(0, 1000))
def test_denormalize_undoes_normalize(low: float, span: float, seed: int) -> None:
    normalizer = Normalizer((low,), (low + span,))
    pixels = np.random.default_rng(seed).uniform(low, low + span, (2, 4, 4)).astype(np.float32)
    back = normalizer.denormalize(normalizer.normalize(pixels))
    np.testing.assert_allclose(back, pixels, atol=1e-5 * max(abs(low), span))


@pytest.mark.parametrize(
    ("kind", "per", "expected"),
    [
        ("percentile", "image", Normalizer((1.0,), (9.0,))),
        ("percentile", "channel", Normalizer((1.0, 2.0), (5.0, 9.0))),
        ("range", "image", Normalizer((0.0,), (255.0,))),
        ("none", "image", Normalizer((0.0,), (1.0,))),
    ],
)
def test_each_kind_of_normalization_fits_its_map(kind: str, per: str, expected: Normalizer) -> None:
    chosen = Normalization.model_validate({"kind": kind, "per": per})
    assert fit_normalizer(chosen, [(1.0, 5.0), (2.0, 9.0)], "uint8") == expected


def test_a_constant_image_maps_to_zero() -> None:
    normalizer = fit_normalizer(Normalization(), [(7.0, 7.0)], "uint8")
    assert np.all(normalizer.normalize(np.full((1, 3, 3), 7, np.uint8)) == 0)


@given(
    dtype=st.sampled_from(["bool", "uint8", "int8", "uint16", "int16", "float32"]),
    seed=st.integers(0, 99),
    spread=st.sampled_from([0, 3, 100, 30_000]),
)
@settings(deadline=None, max_examples=30)
def test_a_short_histogram_counts_every_finite_pixel_in_its_bin(
    dtype: str, seed: int, spread: int
) -> None:
    values = np.random.default_rng(seed).normal(3, spread, (1, 2, 1, 30, 40)).astype(dtype)
    histogram = Histogram(2, dtype)
    histogram.update(values)
    for channel, row in enumerate(histogram.binned()):
        pixels = values[:, channel].astype(np.float64).ravel()
        assert len(row["counts"]) <= 256
        assert sum(row["counts"]) == pixels.size
        if dtype != "float32":
            assert row["low"] == pixels.min()
            bins = (pixels - row["low"]) // row["width"]
            assert row["counts"] == np.bincount(bins.astype(int)).tolist()
        else:
            assert row["low"] == pytest.approx(pixels.min(), rel=1e-3)


def test_a_short_histogram_leaves_out_what_is_no_number() -> None:
    histogram = Histogram(2, "float32")
    values = np.array([1, 2, np.inf, -np.inf, np.nan], np.float32)
    histogram.update(values.repeat(2).reshape(5, 2, 1, 1, 1))
    (row, _) = histogram.binned()
    assert sum(row["counts"]) == 2
    empty = Histogram(1, "float32")
    empty.update(np.full((1, 1, 1, 1, 3), np.nan, np.float32))
    assert empty.binned() == [{"low": 0.0, "width": 1.0, "counts": []}]
