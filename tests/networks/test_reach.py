from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_tiles.networks.reach import Span, reach

spans = st.tuples(st.integers(-100, 100), st.integers(0, 50)).map(lambda t: Span(t[0], sum(t)))


@given(spans, st.sampled_from([2, 4, 8]))
def test_pooling_needs_whole_cells(span: Span, factor: int) -> None:
    needed = span.before_pooling(factor)
    assert needed.first == factor * span.first
    assert needed.last == factor * (span.last + 1) - 1


@given(spans, st.sampled_from([2, 4]), st.floats(0, 3))
def test_upsampling_needs_every_tap_of_every_displacement(
    span: Span, factor: int, bound: float
) -> None:
    taps = set()
    for pixel in range(span.first, span.last + 1):
        for moved in (-bound, 0, bound):
            position = (pixel + 0.5) / factor - 0.5 + moved
            taps |= {position // 1, position // 1 + bool(position % 1)}
    needed = span.before_upsampling(factor, bound)
    assert (needed.first, needed.last) == (min(taps), max(taps))


@pytest.mark.parametrize(
    ("bound", "needed"), [(0.0, Span(-1, 0)), (0.25, Span(-1, 0)), (0.75, Span(-1, 1))]
)
def test_a_quarter_pixel_of_displacement_costs_no_reach(bound: float, needed: Span) -> None:
    assert Span(0, 0).before_upsampling(2, bound) == needed


def test_reach_is_the_widest_over_all_phases() -> None:
    assert reach(lambda span: span.grow(3), 1) == 3
    assert reach(lambda span: span.before_upsampling(4).before_pooling(4), 4) == 5


def test_joined_spans_hold_both() -> None:
    assert Span(0, 4).join(Span(-2, 1)) == Span(-2, 4)
