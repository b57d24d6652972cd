from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.simulate.cells import Grid, Sites
from stable_tiles.simulate.gcamp import Gcamp
from stable_tiles.simulate.streams import Stream

STREAM = Stream((0, "gcamp"))
FRAME_S = 0.4


def cells(side: int = 200) -> Sites:
    return Grid(17.0, 0.2).sites(STREAM, (0, 0, side, side), 0)


@given(st.integers(0, 1000), st.integers(1, 8))
@settings(deadline=None, max_examples=15)
def test_a_frame_is_the_same_alone_and_in_a_movie(first: int, length: int) -> None:
    frames = range(first, first + length)
    movie = Gcamp().traces(STREAM, cells(60), frames, FRAME_S)
    for trace, frame in zip(movie, frames, strict=True):
        alone = Gcamp().traces(STREAM, cells(60), range(frame, frame + 1), FRAME_S)
        np.testing.assert_array_equal(alone[0], trace)


def test_events_come_at_their_rate_and_add_their_area() -> None:
    indicator = Gcamp(rate_spread=0.0, amplitude_spread=0.0)
    traces = indicator.traces(STREAM, cells(400), range(300), FRAME_S)
    t = np.arange(0, 40, 0.001)
    shape = (1 - np.exp(-t / indicator.rise_s)) * np.exp(-t / indicator.decay_s)
    area = (shape / shape.max()).sum() * 0.001
    expected = indicator.rate_hz * indicator.amplitude * area
    assert abs(traces.mean() / expected - 1) < 0.05


def test_activity_never_falls_below_rest_and_lasts_for_its_decay() -> None:
    traces = Gcamp().traces(STREAM, cells(), range(200), FRAME_S)
    assert traces.min() >= 0
    centred = traces - traces.mean(axis=0)
    lag = round(Gcamp().decay_s / FRAME_S)
    correlation = (centred[lag:] * centred[:-lag]).sum() / (centred**2).sum()
    assert 0.2 < correlation < 0.6


def test_cells_are_active_on_their_own() -> None:
    traces = Gcamp().traces(STREAM, cells(), range(300), FRAME_S)
    moving = traces[:, traces.std(axis=0) > 0]
    correlations = np.asarray(np.corrcoef(moving.T))
    assert abs(np.median(correlations[np.triu_indices(moving.shape[1], 1)])) < 0.05
