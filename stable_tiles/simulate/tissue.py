"""Tissue: nests of epithelium in fibrous stroma on glass, as densities of three compartments."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtri

from stable_tiles.simulate.cells import Box, Grid, Patches, Sites, Stamps, wobbly
from stable_tiles.simulate.fields import Field
from stable_tiles.simulate.optics import Plane
from stable_tiles.simulate.streams import Floats, Stream


@dataclass(frozen=True)
class Section:
    """A stained section, pixel by pixel: densities about 1 where a compartment is dense.

    Parameters
    ----------
    sites : Sites
        Cells that reach into the box.
    owner : int32 array (y, x)
        Index of the nearest cell, -1 where none is near.
    inside : float32 array (y, x), 0..1
        Share of a pixel that is in that cell's nucleus.
    nuclei, cytoplasm, matrix : float32 arrays (y, x)
        Densities.
    """

    sites: Sites
    owner: npt.NDArray[np.int32]
    inside: Plane
    nuclei: Plane
    cytoplasm: Plane
    matrix: Plane


@dataclass(frozen=True)
class _Nuclei:
    """Nuclei by site: where, whether of a fibroblast or a lymphocyte (else epithelial)."""

    sites: Sites
    spindle: npt.NDArray[np.bool_]
    lymphocyte: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Tissue:
    """How tissue grows; lengths in pixels of 0.55 um.

    Nuclei of epithelium are round and 7 um across, those of fibroblasts 5 um
    by two and a half times that along the fibres, those of lymphocytes
    round, dense and 6 um across, as in any histology textbook.

    Parameters
    ----------
    nest_px, glass_px, fibre_px : float
        Pitches of the fields of nests, of tears and lumens, and of the fibres' course.
    epithelium, glass : float
        Shares of the area.
    spacing_px, jitter : float
        Grid of possible nuclei, see `Grid`.
    round_px, spindle_px, lymphocyte_px : float
        Mean radii of nuclei.
    radius_spread : float
        Relative standard deviation of the radii.
    elongation : float
        Long axis of a fibroblast's nucleus divided by its short one.
    stromal, lymphocytes : float
        Share of sites of the stroma with a nucleus, and of these with a lymphocyte's.
    fibres : float
        Fibre bundles in one standard deviation of their field.
    wobble : float
        Irregularity of nuclei, see `wobbly`.
    chromatin, stain_spread : float
        Standard deviations of the logarithm of the density of nuclei, within one and between them.
    """

    nest_px: float = 70.0
    glass_px: float = 48.0
    fibre_px: float = 64.0
    epithelium: float = 0.45
    glass: float = 0.10
    spacing_px: float = 17.5
    jitter: float = 0.22
    round_px: float = 6.4
    spindle_px: float = 4.6
    lymphocyte_px: float = 5.2
    radius_spread: float = 0.12
    elongation: float = 2.5
    stromal: float = 0.30
    lymphocytes: float = 0.3
    fibres: float = 5.0
    wobble: float = 0.15
    chromatin: float = 0.22
    stain_spread: float = 0.18

    @property
    def grid(self) -> Grid:
        """Where nuclei can lie."""
        return Grid(self.spacing_px, self.jitter)

    def section(self, stream: Stream, box: Box) -> Section:
        """The tissue in a box (y0, x0, y1, x1), pixels; a scene's `stream` names it."""
        half = ceil(2 * self.round_px)
        nuclei = self._nuclei(stream, box, half + 1)
        stamps = Stamps(nuclei.sites, box, half)
        owner, (depth,) = stamps.nearest(self._distances(stream, stamps, nuclei))
        inside = np.clip(0.5 - depth, 0, 1)
        epithelium, tissue = self._plan(*(field.over(box) for field in self._fields(stream)))
        fibres = self._fibres(stream, box)
        outside = (1 - inside) * tissue
        membrane = 1 - 0.35 * np.clip((depth - 2) / 5, 0, 1)
        return Section(
            nuclei.sites,
            owner,
            inside,
            _plane(inside * self._chromatin(stream, box, nuclei, owner, depth)),
            _plane(outside * epithelium * membrane * self._grain(stream, box, 0.12)),
            _plane(outside * (1 - epithelium) * fibres * self._grain(stream, box, 0.08)),
        )

    def _fields(self, stream: Stream) -> tuple[Field, Field, Field]:
        return (
            Field(stream.named("nests"), self.nest_px),
            Field(stream.named("glass"), self.glass_px),
            Field(stream.named("ragged"), 7.0),
        )

    def _plan(self, nests: Floats, glass: Floats, ragged: Floats) -> tuple[Floats, Floats]:
        """Epithelium rather than stroma, and tissue rather than glass, 0..1."""
        in_nest = nests + 0.12 * ragged - ndtri(1 - self.epithelium)
        on_glass = glass + 0.10 * ragged - ndtri(self.glass)
        return np.asarray(expit(25 * in_nest)), np.asarray(expit(25 * on_glass))

    def _nuclei(self, stream: Stream, box: Box, margin: float) -> _Nuclei:
        sites = self.grid.sites(stream.named("grid"), box, margin)
        epithelium, tissue = self._plan(*(f.at(sites.y, sites.x) for f in self._fields(stream)))
        chance = np.where(epithelium > 0.5, 0.97, self.stromal) * (tissue > 0.85)
        kept = sites.uniform(stream.named("kept")) < chance
        sites, stroma = sites.keep(kept), (epithelium < 0.5)[kept]
        lymphocyte = stroma & (sites.uniform(stream.named("kind")) < self.lymphocytes)
        return _Nuclei(sites, stroma & ~lymphocyte, lymphocyte)

    def _distances(self, stream: Stream, stamps: Stamps, nuclei: _Nuclei) -> Patches:
        """Signed distance in pixels to every nucleus, inside < 0."""
        sites = nuclei.sites
        kinds = [nuclei.spindle, nuclei.lymphocyte]
        mean = np.select(kinds, [self.spindle_px, self.lymphocyte_px], self.round_px)
        spread = np.clip(sites.normal(stream.named("radius")), -2.5, 2.5)
        any_angle = np.pi * sites.uniform(stream.named("angle"))
        long = 1 + 0.35 * sites.uniform(stream.named("aspect"))
        aspect = np.where(nuclei.spindle, self.elongation * long / 1.2, long)
        angle = np.where(nuclei.spindle, self._course(stream, sites.y, sites.x), any_angle)
        radius = mean * (1 + self.radius_spread * spread)
        outlines = wobbly(stream.named("outline"), sites, radius, aspect, angle, self.wobble)
        return outlines.distance(*stamps.offsets())

    def _course(self, stream: Stream, y: Floats, x: Floats) -> Floats:
        """Direction of the fibres at points, from x towards y: along the lines of equal phase."""
        phase = Field(stream.named("fibres"), self.fibre_px)
        here = phase.at(y, x)
        return np.arctan2(-(phase.at(y, x + 1) - here), phase.at(y + 1, x) - here)

    def _fibres(self, stream: Stream, box: Box) -> Floats:
        """Density of fibre bundles: waves of a smooth phase, frayed, with clefts between them."""
        phase = Field(stream.named("fibres"), self.fibre_px).over(box)
        frayed, loose = (Field(stream.named("frayed", p), p).over(box) for p in (5, 16))
        turns = self.fibres * phase + 0.30 * frayed + 0.45 * loose
        wave = 0.5 + 0.5 * np.cos(2 * np.pi * turns)
        cleft = expit(10 * (0.3 * loose - wave - 0.15))
        return np.asarray((0.7 + 0.3 * wave) * (1 - 0.8 * cleft) * np.exp(0.15 * frayed))

    def _chromatin(
        self,
        stream: Stream,
        box: Box,
        nuclei: _Nuclei,
        owner: npt.NDArray[np.int32],
        depth: Plane,
    ) -> Floats:
        """Density within nuclei: clumps, a denser rim, and dense small ones of stroma."""
        spread = np.exp(self.stain_spread * nuclei.sites.normal(stream.named("stain")))
        dense = np.select([nuclei.spindle, nuclei.lymphocyte], [1.05, 1.3], 0.8)
        own = np.append(spread * dense, 0.0)[owner]
        rim = np.exp(-(((depth + 1.2) / 1.2) ** 2))
        return np.asarray(own * (1 + 0.25 * rim) * self._grain(stream, box, self.chromatin))

    def _grain(self, stream: Stream, box: Box, spread: float) -> Floats:
        return np.asarray(np.exp(spread * Field(stream.named("grain"), 2.2).over(box)))


def _plane(values: Floats) -> Plane:
    return np.asarray(values, np.float32)
