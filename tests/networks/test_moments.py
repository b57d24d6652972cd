from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.networks.moments import Moments, joined
from tests.networks.nets import images


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.floats(-1e4, 1e4))
def test_moments_are_numpys_in_float64(n: int, height: int, width: int, offset: float) -> None:
    x = images(n, 4, height, width) + offset
    values = x.double().numpy()
    found = Moments.of(x)
    assert np.all(found.pixels == height * width)
    np.testing.assert_allclose(found.mean, values.mean(axis=(2, 3)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.variance, values.var(axis=(2, 3)), rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 99))
def test_moments_of_parts_merge_to_those_of_the_whole(rows: list[int], seed: int) -> None:
    x = images(1, 3, sum(rows), 7, seed) * 100 - 40
    whole, merged = Moments.of(x), Moments.of(x[:, :, :0])
    for part in torch.split(x, rows, dim=2):
        merged = merged.merge(Moments.of(part))
    for name in ("pixels", "mean", "variance"):
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), rtol=1e-12)


def test_values_that_are_no_numbers_do_not_count() -> None:
    x = images(1, 2, 9, 9)
    rest = Moments.of(x[:, 1:2])
    x[0, 0, 4, 4] = torch.nan
    x[0, 0, 5, 4] = torch.inf
    found = Moments.of(x)
    assert found.pixels.tolist() == [[79, 81]]
    kept = x[0, 0][torch.isfinite(x[0, 0])].double().numpy()
    np.testing.assert_allclose(found.mean[0], [kept.mean(), rest.mean[0, 0]], rtol=1e-12)
    np.testing.assert_allclose(found.variance[0, 0], kept.var(), rtol=1e-12)


def test_moments_do_not_depend_on_the_number_of_threads() -> None:
    x, before, made = images(1, 8, 300, 200), torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        made.append(Moments.of(x))
    torch.set_num_threads(before)
    assert np.array_equal(made[0].mean, made[1].mean)
    assert np.array_equal(made[0].squares, made[1].squares)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.floats(-100, 100))
def test_statistics_of_channels_join_to_those_of_all(
    channels: int, height: int, width: int, offset: float
) -> None:
    values = (
        images(2, channels, height, width).double().numpy()
        * np.arange(1, channels + 1)[:, None, None]
        + np.arange(channels)[:, None, None] * offset
    )
    mean, variance = joined(values.mean(axis=(2, 3)), values.var(axis=(2, 3)))
    assert mean.shape == variance.shape == (2, channels)
    for found, wanted in ((mean, values.mean(axis=(1, 2, 3))), (variance, values.var((1, 2, 3)))):
        np.testing.assert_allclose(found, np.repeat(wanted[:, None], channels, 1), atol=1e-9)
