"""A mould in three dimensions: hyphae that wind and branch, with septa, and heaps of spores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import floor

import numpy as np
import numpy.typing as npt

from stable_tiles.simulate.cells import Box, Grid, Patches, Sites, Stamps
from stable_tiles.simulate.fields import Volume
from stable_tiles.simulate.streams import Floats, Stream


@dataclass(frozen=True)
class Pieces:
    """Short straight pieces of tubes with round ends; arrays (n,), lengths in pixels.

    Parameters
    ----------
    y, x : float64 arrays
        Where they start.
    below : float64 array
        Height of the start above the section.
    dy, dx, dz : float64 arrays
        From the start to the end.
    radius : float64 array
    way : float64 array
        Distance of the start from the beginning of the tube.
    light : float64 array
        Brightness, median 1.
    """

    y: Floats
    x: Floats
    below: Floats
    dy: Floats
    dx: Floats
    dz: Floats
    radius: Floats
    way: Floats
    light: Floats

    @classmethod
    def joined(cls, parts: Sequence[Pieces]) -> Pieces:
        """All pieces of all parts."""
        names = [one.name for one in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def near(self, box: Box, reach: float) -> Pieces:
        """The pieces that start within `reach` pixels of the box and of the section."""
        y0, x0, y1, x1 = box
        kept = (self.y > y0 - reach) & (self.y < y1 + reach) & (np.abs(self.below) < reach)
        kept &= (self.x > x0 - reach) & (self.x < x1 + reach)
        return Pieces(*(getattr(self, one.name)[kept] for one in fields(self)))

    def stamps(self, box: Box, half: int) -> Stamps:
        """Where to paint them."""
        numbers = np.arange(len(self.y))
        return Stamps(Sites(numbers, numbers, self.y, self.x), box, half)

    def distances(self, stamps: Stamps) -> tuple[Patches, Patches]:
        """Signed distance to every piece's surface (inside < 0), and the way along the tube.

        Pixels, float32 (n, side, side).
        """
        y, x = stamps.offsets()
        dy, dx, dz, below = (v[:, None, None] for v in (self.dy, self.dx, self.dz, self.below))
        square = np.maximum(dy**2 + dx**2 + dz**2, 1e-9)
        share = np.clip((y * dy + x * dx - below * dz) / square, 0, 1)
        away = np.sqrt((y - share * dy) ** 2 + (x - share * dx) ** 2 + (below + share * dz) ** 2)
        way = self.way[:, None, None] + share * np.sqrt(square)
        distance = away - self.radius[:, None, None]
        return np.asarray(distance, np.float32), np.asarray(way, np.float32)


@dataclass(frozen=True)
class _Roots:
    """Where tubes of one layer begin: place, height above the section, direction, slope."""

    sites: Sites
    y: Floats
    x: Floats
    below: Floats
    angle: Floats
    slope: Floats


@dataclass(frozen=True)
class Mycelium:
    """How a mould grows; lengths in pixels of 0.34 um.

    Hyphae of Penicillium are 2 to 4 um across and divided by septa; conidia
    are round and 2.5 to 4 um (Visagie et al. 2014,
    doi:10.1016/j.simyco.2014.09.001).

    Parameters
    ----------
    spacing_px, jitter : float
        Grid of where hyphae begin in one layer, see `Grid`.
    layer_px : float
        Thickness of a layer.
    step_px, steps : float, int
        Length of a straight piece, and pieces of a hypha; a branch leaves at a third of them.
    bend : float
        Standard deviation of a hypha's curvature, radians a piece.
    climb : float
        Standard deviation of the slope out of the plane.
    branch : float
        Angle of a branch, radians.
    radius_px, radius_spread : float
        Mean radius, and its relative standard deviation.
    septum_px : float
        Distance of septa.
    conidia_px, conidium_px : float
        Spacing of the grid of conidia, and their mean radius.
    heap_px, heaps : float
        Pitch of the field that heaps conidia, and the value above which there are any.
    light_spread : float
        Standard deviation of the logarithm of brightness between hyphae.
    """

    spacing_px: float = 105.0
    jitter: float = 0.45
    layer_px: float = 20.0
    step_px: float = 4.0
    steps: int = 60
    bend: float = 0.035
    climb: float = 0.05
    branch: float = 0.8
    radius_px: float = 4.6
    radius_spread: float = 0.15
    septum_px: float = 85.0
    conidia_px: float = 12.0
    conidium_px: float = 4.4
    heap_px: float = 30.0
    heaps: float = 1.5
    light_spread: float = 0.35

    @property
    def reach(self) -> int:
        """Pixels around the start of a piece that it can touch."""
        return int(1.5 * self.radius_px + self.step_px) + 3

    def pieces(self, stream: Stream, box: Box, height: float) -> Pieces:
        """All pieces that the section at `height` (pixels) meets in the box, or nearly."""
        far = 3 * self.climb * self.step_px * self.steps + self.reach
        first, last = (floor((height + side * far) / self.layer_px) for side in (-1, 1))
        parts = [
            self._conidia(stream, box, height, floor(height / self.layer_px) + k)
            for k in (-1, 0, 1)
        ]
        for number in range(first, last + 1):
            parts += self._hyphae(stream.named("hyphae", number), box, height, number)
        return Pieces.joined([part.near(box, self.reach) for part in parts])

    def _hyphae(self, stream: Stream, box: Box, height: float, layer: int) -> list[Pieces]:
        """Hyphae of one layer, and the branch of each."""
        grid = Grid(self.spacing_px, self.jitter)
        far = 1.5 * self.step_px * self.steps
        sites = grid.sites(stream.named("grid"), box, far)
        below = (layer + sites.uniform(stream.named("height"))) * self.layer_px - height
        slope = self.climb * np.clip(sites.normal(stream.named("slope")), -2, 2)
        angle = 2 * np.pi * sites.uniform(stream.named("angle"))
        stem = self._tube(
            stream.named("stem"), _Roots(sites, sites.y, sites.x, below, angle, slope)
        )
        third, shape = self.steps // 3, (len(sites), self.steps)
        turned = angle + self.branch * np.where(sites.uniform(stream.named("side")) < 0.5, 1, -1)
        y, x, low = (v.reshape(shape)[:, third] for v in (stem.y, stem.x, stem.below))
        roots = _Roots(sites, y, x, low, turned, -slope)
        return [stem, self._tube(stream.named("branch"), roots)]

    def _tube(self, stream: Stream, roots: _Roots) -> Pieces:
        """One tube from every root, all of their pieces."""
        sites, shape = roots.sites, (len(roots.sites), self.steps)
        number = np.arange(self.steps)
        iy, ix = sites.iy[:, None], sites.ix[:, None]
        knots = np.stack([stream.normal(iy, ix, number // 15 + k) for k in (0, 1)])
        share = (number % 15) / 15
        curvature = self.bend * ((1 - share) * knots[0] + share * knots[1])
        angle = roots.angle[:, None] + np.cumsum(curvature, axis=1)
        step = self.step_px / np.hypot(1, roots.slope[:, None])
        dy, dx = step * np.sin(angle), step * np.cos(angle)
        dz = np.broadcast_to(step * roots.slope[:, None], shape)
        spread = np.clip(sites.normal(stream.named("radius")), -2, 2)
        radius = self.radius_px * (1 + self.radius_spread * spread)
        light = np.exp(self.light_spread * sites.normal(stream.named("light")))
        phase = self.septum_px * sites.uniform(stream.named("phase"))
        starts = (
            root[:, None] + np.cumsum(d, axis=1) - d
            for root, d in ((roots.y, dy), (roots.x, dx), (roots.below, dz))
        )
        way = phase[:, None] + self.step_px * number
        wide, bright = (np.broadcast_to(v[:, None], shape) for v in (radius, light))
        return Pieces(*(v.ravel() for v in (*starts, dy, dx, dz, wide, way, bright)))

    def _conidia(self, stream: Stream, box: Box, height: float, layer: int) -> Pieces:
        """Heaps of spores: tubes of no length."""
        own = stream.named("conidia", layer)
        sites = Grid(self.conidia_px, 0.3).sites(own.named("grid"), box, self.reach)
        place = (layer + sites.uniform(own.named("height"))) * self.layer_px
        heap = Volume(stream.named("heaps"), self.heap_px)
        field = heap.at(sites.y, sites.x, (layer + 0.5) * self.layer_px)
        sites, below = sites.keep(field > self.heaps), (place - height)[field > self.heaps]
        spread = np.clip(sites.normal(own.named("radius")), -2, 2)
        radius = self.conidium_px * (1 + 0.5 * self.radius_spread * spread)
        light = 1.4 * np.exp(0.5 * self.light_spread * sites.normal(own.named("light")))
        nothing = np.zeros(len(sites))
        return Pieces(sites.y, sites.x, below, nothing, nothing, nothing, radius, nothing, light)


def septa(way: npt.NDArray[np.float32], distance_px: float) -> npt.NDArray[np.float32]:
    """Distance from the nearest septum along the way, pixels; septa lie half way from 0 on."""
    return np.abs(np.mod(way, distance_px) - np.float32(distance_px / 2))
