from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from stable_tiles.simulate.streams import Stream

INDICES = st.integers(-(2**40), 2**40)


@given(st.lists(st.tuples(INDICES, INDICES), min_size=1, max_size=20))
@settings(deadline=None, max_examples=30)
def test_a_number_does_not_depend_on_which_others_are_asked_for(
    pairs: list[tuple[int, int]],
) -> None:
    stream = Stream((0, "x"))
    iy, ix = np.array(pairs, np.int64).T
    together = stream.uniform(iy, ix)
    assert all(stream.uniform(a, b) == value for (a, b), value in zip(pairs, together, strict=True))


def test_numbers_are_uniform_and_their_transforms_normal() -> None:
    iy, ix = np.mgrid[-50:50, -50:50]
    stream = Stream((1, "y"))
    assert kstest(stream.uniform(iy, ix).ravel(), "uniform").pvalue > 1e-3
    assert kstest(stream.normal(iy, ix).ravel(), "norm").pvalue > 1e-3


def test_neighbouring_indices_are_uncorrelated() -> None:
    values = Stream((1, "z")).uniform(*np.mgrid[0:200, 0:200])
    for a, b in ((values[1:], values[:-1]), (values[:, 1:], values[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02


def test_streams_of_other_names_are_independent() -> None:
    iy = np.arange(10_000)
    first = Stream((0, "a"))
    for other in (Stream((1, "a")), Stream((0, "b")), first.named("c"), Stream(("0", "a"))):
        assert abs(np.corrcoef(first.uniform(iy), other.uniform(iy))[0, 1]) < 0.05


def test_the_order_of_indices_matters() -> None:
    stream = Stream((0, "a"))
    assert stream.uniform(1, 2) != stream.uniform(2, 1)


def test_the_numbers_are_the_same_on_every_machine() -> None:
    values = Stream((0, "fixed")).uniform(np.arange(-1, 2), 7)
    np.testing.assert_array_equal(
        values, [0.2694913424007469, 0.1437767271812792, 0.5939270005123386]
    )
