"""Smooth random fields on the infinite plane, evaluated anywhere on their own."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from stable_tiles.simulate.streams import Floats, Ints, Stream

_DEVIATION = 151 / 315
"""Standard deviation of white noise smoothed by the cubic B-spline along both axes.

Along one axis the mean of the sum of squared weights, a variance, is 151/315.
"""


@dataclass(frozen=True)
class Field:
    """A stationary random field of mean 0, variance near 1 and one length scale.

    Independent normal numbers on a lattice, smoothed by the cubic B-spline:
    twice continuously differentiable, correlated over about two pitches.

    Parameters
    ----------
    stream : Stream
        Names the field.
    pitch : float
        Distance of lattice points, pixels.
    """

    stream: Stream
    pitch: float

    def over(self, box: tuple[int, int, int, int]) -> Floats:
        """Values at the pixel centres of a box.

        Parameters
        ----------
        box : (y0, x0, y1, x1)
            Half-open, pixels; corners may be negative.

        Returns
        -------
        float64 array (y, x)
        """
        y0, x0, y1, x1 = box
        row, row_weights = _spline(np.arange(y0, y1) / self.pitch)
        column, column_weights = _spline(np.arange(x0, x1) / self.pitch)
        iy = np.arange(row[0], row[-1] + 4)
        ix = np.arange(column[0], column[-1] + 4)
        lattice = self.stream.normal(iy[:, None], ix[None, :])
        rows = sum(row_weights[k][:, None] * lattice[row - row[0] + k] for k in range(4))
        values = sum(column_weights[k] * rows[:, column - column[0] + k] for k in range(4))
        return np.asarray(values / _DEVIATION)

    def at(self, y: Floats, x: Floats) -> Floats:
        """Values at any points (pixels, equal shapes), as `over` gives them at pixel centres."""
        row, row_weights = _spline(y / self.pitch)
        column, column_weights = _spline(x / self.pitch)
        values = np.zeros(np.shape(y))
        for j in range(4):
            for k in range(4):
                lattice = self.stream.normal(row + j, column + k)
                values += row_weights[j] * column_weights[k] * lattice
        return values / _DEVIATION


@dataclass(frozen=True)
class Volume:
    """As `Field`, in three dimensions: planes of it at any height belong together.

    Independent fields lie one pitch above the other and are joined by the
    same cubic B-spline.

    Parameters
    ----------
    stream : Stream
        Names the field.
    pitch : float
        Distance of lattice points along y and x, pixels.
    rise : float or None
        Distance of lattice points along z, in the unit in which heights are
        given; `pitch` by default.
    """

    stream: Stream
    pitch: float
    rise: float | None = None

    def over(self, box: tuple[int, int, int, int], height: float) -> Floats:
        """Values at the pixel centres of a box at one height, float64 (y, x)."""
        planes = [weight * field.over(box) for weight, field in self._planes(height)]
        return np.asarray(sum(planes) / sqrt(_DEVIATION))

    def at(self, y: Floats, x: Floats, height: float) -> Floats:
        """Values at any points (pixels, equal shapes) of one height."""
        planes = [weight * field.at(y, x) for weight, field in self._planes(height)]
        return np.asarray(sum(planes) / sqrt(_DEVIATION))

    def _planes(self, height: float) -> list[tuple[float, Field]]:
        below, weights = _spline(np.array(height / (self.rise or self.pitch)))
        return [
            (float(weight), Field(self.stream.named("plane", int(below) + k), self.pitch))
            for k, weight in enumerate(weights)
        ]


def _spline(position: Floats) -> tuple[Ints, tuple[Floats, Floats, Floats, Floats]]:
    """First of four lattice points and the cubic B-spline weights of all four."""
    cell = np.floor(position)
    t = position - cell
    weights = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    return cell.astype(np.int64) - 1, weights
