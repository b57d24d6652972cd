"""The calcium task: neurons with GCaMP in the cytosol (domain A) or in the nucleus (domain B).

Inside a cell A is dark where B is bright; between cells both are bright
together, because one activity drives them; outside the cells B follows A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from stable_tiles.axes import Axes
from stable_tiles.image.ngff import Channel
from stable_tiles.simulate.cells import Box, Grid, Patches, Sites, Stamps, numbered, wobbly
from stable_tiles.simulate.fields import Field
from stable_tiles.simulate.gcamp import Gcamp
from stable_tiles.simulate.optics import Blur, Camera, Plane
from stable_tiles.simulate.scene import BLOCK, Block, Extent, Picture, View, detect
from stable_tiles.simulate.streams import Floats, Stream

CONFOCAL = Blur(sharp=0.9, wide=5.0, haze=0.15)
"""Full width at half maximum 2.1 px = 0.93 um: sampling and tissue more than the NA of 0.8."""

DETECTOR = Camera(photons=150.0, gain=4.0, offset=100.0, read_noise=4.0, dtype="uint16")
"""So many photons that a noisy image's correlation with the noiseless is 0.99: a denoised movie."""

_COLORS = ("00FF00", "FF0000", "0000FF", "00FFFF", "FF00FF", "FFFF00")


@dataclass(frozen=True)
class Neurons:
    """Somata packed as in the brain of a larval zebrafish.

    A soma is 16 pixels across in the paper's recordings and about 7 um in
    the animal, most of it nucleus.

    Parameters
    ----------
    diameter_px, diameter_spread : float
        Mean diameter, pixels, and its relative standard deviation.
    spacing_px, jitter : float
        Grid of the centres, see `Grid`.
    nucleus : float
        Radius of the nucleus divided by that of the cell.
    eccentricity : float
        Standard deviation of the nucleus's shift along y and x, divided by the cell's radius.
    wobble : float
        Irregularity of outlines, see `wobbly`.
    baseline_spread : float
        Standard deviation of the logarithm of the resting brightness.
    expression_spread : float
        As `baseline_spread`, over the length `expression_px`: regions express differently.
    expression_px : float
        Pitch of the field of expression, pixels.
    vacant : float
        Share of the area without neurons, where there is only neuropil.
    vacant_px : float
        Pitch of the field that places such areas, pixels.
    """

    diameter_px: float = 16.0
    diameter_spread: float = 0.10
    spacing_px: float = 18.5
    jitter: float = 0.18
    nucleus: float = 0.68
    eccentricity: float = 0.07
    wobble: float = 0.16
    baseline_spread: float = 0.30
    expression_spread: float = 0.2
    expression_px: float = 150.0
    vacant: float = 0.05
    vacant_px: float = 50.0

    @property
    def grid(self) -> Grid:
        """Where cells can lie."""
        return Grid(self.spacing_px, self.jitter)


@dataclass(frozen=True)
class Contrast:
    """Brightness of each compartment in one domain, in units of a resting cell's brightest.

    Parameters
    ----------
    cytosol, nucleus : float
        Inside a cell.
    neuropil : float
        Median outside cells.
    """

    cytosol: float
    nucleus: float
    neuropil: float


@dataclass(frozen=True)
class Anatomy:
    """What does not change in one block: its cells, and how much of each pixel is what.

    Parameters
    ----------
    sites : Sites
        All cells that reach into the block.
    owner : int32 array (y, x)
        Index of the nearest cell, -1 where none is near.
    inside, nuclear : float32 arrays (y, x), 0..1
        Share of a pixel that is in that cell, and in its nucleus.
    density : float32 array (y, x)
        Of the indicator in cytosol and neuropil, relative, median 1.
    """

    sites: Sites
    owner: npt.NDArray[np.int32]
    inside: Plane
    nuclear: Plane
    density: Plane

    def light(self, contrast: Contrast, brightness: Floats) -> Plane:
        """Light from every pixel, float32 (y, x), of cells of that brightness (cells,)."""
        cell = np.append(brightness, 0.0).astype(np.float32)[self.owner]
        cytosol = contrast.cytosol * self.density
        share = cytosol + (contrast.nucleus - cytosol) * self.nuclear
        outside = contrast.neuropil * self.density * (1 - self.inside)
        return np.asarray(cell * share * self.inside + outside, np.float32)


@dataclass(frozen=True)
class Calcium:
    """The task; its fields are its physical parameters.

    The pixel size follows from a soma of 7 um being 16 pixels across (the
    paper's pixel is 0.45 um); the frame interval resolves the rise of an
    event, which the paper's recordings of 0.58 Hz do not; sections are
    further apart than a soma is thick, so each shows other cells.  With more
    than one channel the first is GCaMP and the others are static markers
    that a random half of the cells express in the same compartment.
    `texture` is the standard deviation of the logarithm of the indicator's
    density.  The nucleus shines at 0.55 of the cytosol: an optical section
    is thicker than half a cell, so cytosol above and below it is seen
    through it, as in light-sheet recordings.
    """

    neurons: Neurons = Neurons()
    texture: float = 0.12
    gcamp: Gcamp = field(default_factory=Gcamp)
    cytosolic: Contrast = Contrast(cytosol=1.0, nucleus=0.55, neuropil=0.25)
    nuclear: Contrast = Contrast(cytosol=0.08, nucleus=1.0, neuropil=0.12)
    blur: Blur = CONFOCAL
    camera: Camera = DETECTOR
    pixel_size_um: float = 0.44
    section_um: float = 10.0
    frame_s: float = 0.4

    name = "calcium"
    extent = Extent(time=True, depth=True, channels=range(1, len(_COLORS) + 1))

    def pictures(self, channels: int) -> Mapping[View, Picture]:
        """Both domains as uint16, whole cells and their nuclei as uint32 numbers (0: none)."""
        names = ("GCaMP", *(f"marker {k}" for k in range(1, channels)))
        named = tuple(Channel(n, c) for n, c in zip(names, _COLORS, strict=False))
        image = Picture(self.camera.dtype, named)
        return {
            "a": image,
            "b": image,
            "labels": Picture("uint32", (Channel("cells"),), is_label=True),
            "nuclei": Picture("uint32", (Channel("nuclei"),), is_label=True),
        }

    def axes(self, names: str, size: int) -> Axes:
        """The named axes in micrometres and seconds, whatever the size."""
        um = self.pixel_size_um
        scale = {"t": self.frame_s, "z": self.section_um, "y": um, "x": um}
        units = dict.fromkeys("zyx", "micrometer") | {"t": "second"}
        return Axes.named(names, scale, units)

    def paint(self, block: Block, view: View) -> npt.NDArray[Any]:
        """One block of one view, (frames, channels, y, x)."""
        if view in ("labels", "nuclei"):
            return self._numbers(block, view)
        margin = self.blur.reach
        anatomy = self._anatomy(block, margin)
        contrast = self.cytosolic if view == "a" else self.nuclear
        inner = slice(margin, margin + BLOCK)
        planes = [
            [self.blur(anatomy.light(contrast, cells))[inner, inner] for cells in frame]
            for frame in self._brightness(block, anatomy.sites)
        ]
        return detect(self.camera, np.array(planes, np.float32), block, view)

    def _numbers(self, block: Block, view: View) -> npt.NDArray[np.uint32]:
        anatomy = self._anatomy(block, 0)
        numbers = self.neurons.grid.numbers(anatomy.sites, block.size, block.z)
        share = anatomy.inside if view == "labels" else np.minimum(anatomy.nuclear, anatomy.inside)
        return numbered(numbers, anatomy.owner, share, len(block.frames))

    def _brightness(self, block: Block, sites: Sites) -> Floats:
        """Brightness of every cell, (frames, channels, cells); a resting median cell has 1."""
        stream, cells = block.stream.named("activity", block.z), self.neurons
        region = Field(stream.named("expression"), cells.expression_px).at(sites.y, sites.x)
        spread = cells.baseline_spread * sites.normal(stream.named("baseline"))
        resting = np.exp(spread + cells.expression_spread * region)
        response = self.gcamp.traces(stream.named("gcamp"), sites, block.frames, self.frame_s)
        markers = [
            (sites.uniform(stream.named("marker"), 2 * k) < 0.5)
            * np.exp(cells.baseline_spread * sites.normal(stream.named("marker"), 2 * k + 1))
            for k in range(1, block.channels)
        ]
        return np.array([[resting * (1 + frame), *markers] for frame in response])

    def _anatomy(self, block: Block, margin: int) -> Anatomy:
        stream, cells = block.stream.named("anatomy", block.z), self.neurons
        box, half = block.box(margin), ceil(0.85 * cells.diameter_px)
        sites = self._sites(stream, box, half + 1)
        stamps = Stamps(sites, box, half)
        soma, nucleus = self._distances(stream, stamps)
        owner, (to_soma, to_nucleus) = stamps.nearest(soma, [nucleus])
        inside, nuclear = (np.clip(0.5 - d, 0, 1) for d in (to_soma, to_nucleus))
        return Anatomy(sites, owner, inside, nuclear, self._density(stream, box))

    def _sites(self, stream: Stream, box: Box, margin: float) -> Sites:
        cells = self.neurons
        sites = cells.grid.sites(stream.named("grid"), box, margin)
        field = Field(stream.named("vacant"), cells.vacant_px).at(sites.y, sites.x)
        ragged = (field + 0.3 * sites.normal(stream.named("ragged"))) / np.hypot(1, 0.3)
        return sites.keep(ragged > ndtri(cells.vacant))

    def _distances(self, stream: Stream, stamps: Stamps) -> tuple[Patches, Patches]:
        """Signed distances in pixels to every cell's membrane and to its nucleus, inside < 0."""
        cells, sites = self.neurons, stamps.sites
        spread = np.clip(sites.normal(stream.named("radius")), -2.5, 2.5)
        radius = cells.diameter_px / 2 * (1 + cells.diameter_spread * spread)
        aspect = 1 + 0.2 * sites.uniform(stream.named("aspect"))
        angle = np.pi * sites.uniform(stream.named("angle"))
        soma = wobbly(stream.named("soma"), sites, radius, aspect, angle, cells.wobble)
        inner = wobbly(
            stream.named("nucleus"), sites, cells.nucleus * radius, aspect, angle, cells.wobble / 2
        )
        dy, dx = (
            cells.eccentricity * radius * np.clip(sites.normal(stream.named("shift"), k), -2, 2)
            for k in range(2)
        )
        return soma.distance(*stamps.offsets()), inner.distance(*stamps.offsets(dy, dx))

    def _density(self, stream: Stream, box: Box) -> Plane:
        fine, coarse = (Field(stream.named("density", p), p).over(box) for p in (3, 12))
        return np.exp(self.texture * (0.6 * fine + 0.8 * coarse)).astype(np.float32)
