"""Cultured cells on a flat dish: how thick cell, nucleus and nucleoli are at every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from stable_tiles.simulate.cells import Box, Grid, Patches, Sites, Stamps, wobbly
from stable_tiles.simulate.fields import Field
from stable_tiles.simulate.optics import Plane
from stable_tiles.simulate.streams import Floats, Stream


@dataclass(frozen=True)
class Monolayer:
    """Cells pixel by pixel; thicknesses in micrometres, 0 where there is none.

    Parameters
    ----------
    sites : Sites
        Cells that reach into the box.
    rounded : bool array (n,)
        Which of them are about to divide or to detach.
    owner : int32 array (y, x)
        Index of the nearest cell, -1 where none is near.
    inside : float32 array (y, x), 0..1
        Share of a pixel that is in that cell's nucleus.
    cell, nucleus, nucleoli : float32 arrays (y, x)
        Thickness of the whole cell, and of what is nucleus and nucleoli of it.
    grain : float32 array (y, x)
        Fluctuation of what cells are made of, mean 0, standard deviation 1.
    """

    sites: Sites
    rounded: npt.NDArray[np.bool_]
    owner: npt.NDArray[np.int32]
    inside: Plane
    cell: Plane
    nucleus: Plane
    nucleoli: Plane
    grain: Plane


@dataclass(frozen=True)
class _Shapes:
    """Per cell: mean radii of cell and nucleus, pixels, and heights of both, micrometres."""

    radius: Floats
    nucleus: Floats
    height: Floats
    nuclear_height: Floats


@dataclass(frozen=True)
class Culture:
    """How cells grow; lengths in pixels of 0.65 um unless their name says otherwise.

    Half of the cells lie flat and drawn out, half are rounded, as in the
    shared transmitted-light image; adherent human carcinoma cells are 15 to
    30 um across and 3 to 10 um high, their nuclei 12 to 16 um by 5 um
    (Milo and Phillips, Cell Biology by the Numbers, 2015).

    Parameters
    ----------
    spacing_px, jitter : float
        Grid of possible cells, see `Grid`.
    vacant, vacant_px : float
        Share of the area without cells, and pitch of the field that places it.
    rounded : float
        Share of rounded cells.
    flat_px, round_px : float
        Mean radius of flat and rounded cells.
    radius_spread : float
        Relative standard deviation of the radii.
    elongation : float
        Largest ratio of long to short axis of flat cells; it is drawn evenly from 1.15 on.
    nucleus_px : float
        Mean radius of nuclei.
    flat_um, round_um : float
        Heights of flat and rounded cells; a flat one is `bulge_um` higher over its nucleus.
    bulge_um, nuclear_um : float
        See `flat_um`; height of a nucleus.
    wobble : float
        Irregularity of flat cells, see `wobbly`; others have a quarter of it.
    nucleolus_px : float
        Standard deviation of a nucleolus, a Gaussian bump as high as it is wide.
    """

    spacing_px: float = 34.0
    jitter: float = 0.32
    vacant: float = 0.38
    vacant_px: float = 45.0
    rounded: float = 0.5
    flat_px: float = 15.5
    round_px: float = 12.0
    radius_spread: float = 0.13
    elongation: float = 2.3
    nucleus_px: float = 9.8
    flat_um: float = 3.2
    round_um: float = 8.0
    bulge_um: float = 1.6
    nuclear_um: float = 4.5
    wobble: float = 0.3
    nucleolus_px: float = 1.5

    @property
    def grid(self) -> Grid:
        """Where cells can lie."""
        return Grid(self.spacing_px, self.jitter)

    def monolayer(self, stream: Stream, box: Box) -> Monolayer:
        """The cells in a box (y0, x0, y1, x1), pixels; a scene's `stream` names them."""
        half = ceil(2.4 * self.flat_px)
        sites = self._sites(stream, box, half + 1)
        rounded = sites.uniform(stream.named("rounded")) < self.rounded
        stamps = Stamps(sites, box, half)
        shapes = self._shapes(stream, sites, rounded)
        membrane, envelope, bumps = self._distances(stream, stamps, rounded, shapes)
        owner, (depth, inner, nucleoli) = stamps.nearest(membrane, [envelope, bumps])
        own = _Shapes(*(np.append(v, 1.0)[owner] for v in vars(shapes).values()))
        flat = np.append(~rounded, False)[owner]
        cell = own.height * _dome(-depth, own.radius) ** np.where(flat, 0.75, 0.5)
        over = np.sqrt(_dome(-inner, own.nucleus)) * (depth < 0)
        cell += np.where(flat, self.bulge_um, 0) * over**2
        grain = Field(stream.named("grain"), 1.3).over(box)
        return Monolayer(
            sites,
            rounded,
            owner,
            np.clip(0.5 - np.maximum(inner, depth), 0, 1),
            _plane(cell),
            _plane(np.minimum(own.nuclear_height * over, cell)),
            _plane(np.where((inner < 0) & (depth < 0), nucleoli, 0)),
            _plane(grain),
        )

    def _sites(self, stream: Stream, box: Box, margin: float) -> Sites:
        sites = self.grid.sites(stream.named("grid"), box, margin)
        field = Field(stream.named("vacant"), self.vacant_px).at(sites.y, sites.x)
        ragged = (field + 0.7 * sites.normal(stream.named("ragged"))) / np.hypot(1, 0.7)
        return sites.keep(ragged > ndtri(self.vacant))

    def _shapes(self, stream: Stream, sites: Sites, rounded: npt.NDArray[np.bool_]) -> _Shapes:
        sizes = [
            1 + self.radius_spread * np.clip(sites.normal(stream.named("size"), k), -2.5, 2.5)
            for k in range(2)
        ]
        radius = np.where(rounded, self.round_px, self.flat_px) * sizes[0]
        nucleus = np.minimum(self.nucleus_px * sizes[1], np.where(rounded, 0.75, 0.62) * radius)
        height = np.where(rounded, self.round_um, self.flat_um) * sizes[0]
        nuclear = np.where(rounded, 1.4, 1.0) * self.nuclear_um * sizes[1]
        return _Shapes(radius, nucleus, height, nuclear)

    def _distances(
        self,
        stream: Stream,
        stamps: Stamps,
        rounded: npt.NDArray[np.bool_],
        shapes: _Shapes,
    ) -> tuple[Patches, Patches, Patches]:
        """Signed distance to every membrane and nuclear envelope, and height of nucleoli, um."""
        sites = stamps.sites
        drawn = 1.15 + (self.elongation - 1.15) * sites.uniform(stream.named("aspect"))
        aspect = np.where(rounded, 1 + 0.12 * drawn, drawn)
        angle = np.pi * sites.uniform(stream.named("angle"))
        wobble = np.where(rounded, self.wobble / 4, self.wobble)
        soma = wobbly(stream.named("soma"), sites, shapes.radius, aspect, angle, wobble)
        inner = wobbly(
            stream.named("nucleus"),
            sites,
            shapes.nucleus,
            np.where(rounded, 1.1, 1 + 0.6 * (drawn - 1)),
            angle,
            self.wobble / 4,
        )
        shift = 0.12 * (shapes.radius - 0.5 * shapes.nucleus)
        dy, dx = (
            shift * np.clip(sites.normal(stream.named("shift"), k), -1.5, 1.5) for k in range(2)
        )
        envelope = inner.distance(*stamps.offsets(dy, dx))
        return soma.distance(*stamps.offsets()), envelope, self._nucleoli(stream, stamps, shapes)

    def _nucleoli(self, stream: Stream, stamps: Stamps, shapes: _Shapes) -> Patches:
        """One to three bumps in every nucleus."""
        sites, width = stamps.sites, self.nucleolus_px
        total = np.zeros((len(sites), stamps.side, stamps.side), np.float32)
        for k in range(3):
            there = sites.uniform(stream.named("nucleoli"), k) < 1 - 0.35 * k
            far = 0.55 * shapes.nucleus * np.sqrt(sites.uniform(stream.named("far"), k))
            turn = 2 * np.pi * sites.uniform(stream.named("turn"), k)
            y, x = stamps.offsets(far * np.sin(turn), far * np.cos(turn))
            bump = np.exp(-(y**2) / (2 * width**2)) * np.exp(-(x**2) / (2 * width**2))
            total += (there[:, None, None] * bump).astype(np.float32)
        return total * np.float32(2)


def _dome(depth: Plane, radius: Floats) -> Floats:
    """Square of a spherical cap's relative height at a depth inside its outline, 0..1."""
    return np.asarray(1 - (1 - np.clip(depth / radius, 0, 1)) ** 2)


def _plane(values: Floats) -> Plane:
    return np.asarray(values, np.float32)
