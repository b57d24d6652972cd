from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.simulate.hyphae import Mycelium, Pieces, septa
from stable_tiles.simulate.streams import Stream

STREAM = Stream((0, "mould"))


def one(*values: float) -> Pieces:
    """A single piece, its fields in order."""
    return Pieces(*(np.array([float(v)]) for v in values))


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.floats(-4, 4))
@settings(deadline=None, max_examples=20)
def test_the_distance_to_a_piece_is_that_to_its_nearest_point(
    dy: float, dx: float, dz: float, below: float
) -> None:
    piece = one(20.3, 30.6, below, dy, dx, dz, 2.5, 100.0, 1.0)
    (found,), (way,) = piece.distances(piece.stamps((0, 0, 60, 60), 8))
    share = np.linspace(0, 1, 400)
    points = np.stack([20.3 + share * dy, 30.6 + share * dx, below + share * dz])
    rows, columns = np.mgrid[20 - 8 : 20 + 9, 31 - 8 : 31 + 9]
    away = np.sqrt(
        (rows[..., None] - points[0]) ** 2 + (columns[..., None] - points[1]) ** 2 + points[2] ** 2
    )
    np.testing.assert_allclose(found, away.min(axis=-1) - 2.5, atol=0.02)
    assert way.min() >= 100 - 1e-3
    assert way.max() <= 100 + np.sqrt(dy**2 + dx**2 + dz**2) + 1e-3


@given(st.integers(-400, 10**5), st.integers(-400, 10**5), st.integers(0, 300))
@settings(deadline=None, max_examples=6)
def test_no_piece_is_missing_from_a_smaller_box(y: int, x: int, height: int) -> None:
    mould = Mycelium()
    small = mould.pieces(STREAM, (y, x, y + 60, x + 60), float(height))
    large = mould.pieces(STREAM, (y - 50, x - 70, y + 120, x + 130), float(height))
    again = large.near((y, x, y + 60, x + 60), mould.reach)
    places = [sorted(zip(p.y.tolist(), p.x.tolist(), strict=True)) for p in (small, again)]
    np.testing.assert_allclose(places[0], places[1], atol=1e-6)


def test_septa_lie_at_their_distance() -> None:
    way = np.arange(0, 400, 0.5, dtype=np.float32)
    found = way[septa(way, 85.0) < 0.1]
    np.testing.assert_allclose(np.diff(found), 85.0)
