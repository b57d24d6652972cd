"""The dapi task: cultured cells in differential interference contrast (A) and their DAPI (B)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import cos, hypot, pi, sin
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import Axes
from stable_tiles.image.ngff import Channel
from stable_tiles.simulate.cells import numbered
from stable_tiles.simulate.culture import Culture, Monolayer
from stable_tiles.simulate.fields import Field
from stable_tiles.simulate.optics import Blur, Camera, Plane
from stable_tiles.simulate.scene import BLOCK, STACK, Block, Picture, View, detect

TRANSMITTED = Camera(photons=9000.0, gain=12.0, offset=100.0, read_noise=30.0, dtype="uint16")
"""Brightness 1 gives 108,000 counts; the bare dish, at the bias, a quarter of it."""

WIDEFIELD = Camera(photons=400.0, gain=25.0, offset=300.0, read_noise=40.0, dtype="uint16")
"""A cooled camera: a median nucleus, 4.5 um thick, gives 15,000 counts from 600 photons."""

TRANSMITTED_BLUR = Blur(sharp=0.75)
"""Full width at half maximum 1.8 px = 1.1 um: NA 0.3, and half a pixel."""

WIDEFIELD_BLUR = Blur(sharp=1.1, wide=9.0, haze=0.18)
"""As `TRANSMITTED_BLUR`, and light from above and below the focus."""


@dataclass(frozen=True)
class Interference:
    """A differential interference contrast microscope, somewhat out of focus.

    The two beams, `shear_um` apart, differ in phase by ``d = shear . grad phi``,
    ``phi = 2 pi / wavelength * sum of (index - medium) * thickness``, and leave
    ``(1 - cos(bias + d)) / 2`` of the light (Preza, Snyder and Conchello 1999,
    doi:10.1364/JOSAA.16.002185).  Out of focus by z the light is redistributed
    by ``1 - z wavelength / (2 pi) * laplace phi`` (transport of intensity:
    Teague 1983, doi:10.1364/JOSA.73.001434): the dark and bright rims.

    Indices: medium as water with salt; cytoplasm 1.36 to 1.38, nuclei
    below the cytoplasm, nucleoli above it (Schuermann et al. 2016,
    doi:10.1002/jbio.201500273).

    Parameters
    ----------
    wavelength_um, shear_um : float
        Of the light in vacuum; distance of the beams.
    direction_deg : float
        Of the shear, from x towards y.
    bias : float
        Phase difference where there is no cell, radians.
    focus_um : float
        How far the middle section is out of focus.
    medium, cytoplasm, nucleus, nucleolus : float
        Refractive indices.
    granules : float
        Relative standard deviation of the cytoplasm's index difference; a third in nuclei.
    """

    wavelength_um: float = 0.55
    shear_um: float = 0.30
    direction_deg: float = 45.0
    bias: float = pi / 3
    focus_um: float = 8.0
    medium: float = 1.337
    cytoplasm: float = 1.364
    nucleus: float = 1.356
    nucleolus: float = 1.375
    granules: float = 0.07

    def phase(self, cells: Monolayer) -> Plane:
        """Phase of the light behind the cells relative to the medium, radians, float32 (y, x)."""
        plasm = (cells.cell - cells.nucleus) * (1 + self.granules * cells.grain)
        karyon = cells.nucleus * (1 + self.granules / 3 * cells.grain)
        path = (
            (self.cytoplasm - self.medium) * plasm
            + (self.nucleus - self.medium) * karyon
            + (self.nucleolus - self.nucleus) * cells.nucleoli
        )
        return np.asarray(2 * pi / self.wavelength_um * path, np.float32)

    def brightness(self, phase: Plane, defocus_um: float, pixel_um: float) -> Plane:
        """Share of the light that passes, float32 like `phase`, out of focus by `defocus_um`."""
        along_y, along_x = np.gradient(phase)
        angle = self.direction_deg * pi / 180
        shear = self.shear_um / pixel_um * (sin(angle) * along_y + cos(angle) * along_x)
        curved = np.gradient(along_y, axis=0) + np.gradient(along_x, axis=1)
        moved = defocus_um * self.wavelength_um / (2 * pi * pixel_um**2) * curved
        passed = (1 - np.cos(self.bias + shear)) / 2
        return np.asarray(passed * np.clip(1 - moved, 0.3, 1.7), np.float32)


@dataclass(frozen=True)
class Dapi:
    """The task; its fields are its physical parameters.

    The paper's pixel of 6.5 um is the camera's; at a magnification of 10 it
    is 0.65 um, which makes nuclei of the shared images 12 to 16 um long.
    Sections are planes of focus through one layer of cells: A changes its
    contrast from section to section and B its sharpness.  The counts of A
    show the shading of the lamp; DAPI binds a cell's own amount of
    chromatin, denser in rounded cells, `stain_spread` and `chromatin` being
    standard deviations of logarithms.
    """

    culture: Culture = field(default_factory=Culture)
    interference: Interference = field(default_factory=Interference)
    transmitted_blur: Blur = TRANSMITTED_BLUR
    widefield_blur: Blur = WIDEFIELD_BLUR
    transmitted: Camera = TRANSMITTED
    widefield: Camera = WIDEFIELD
    shading: float = 0.03
    stain_spread: float = 0.45
    chromatin: float = 0.10
    condensed: float = 1.5
    aperture: float = 0.3
    pixel_size_um: float = 0.65
    section_um: float = 1.0

    name = "dapi"
    extent = STACK

    def pictures(self, channels: int) -> Mapping[View, Picture]:
        """Both domains as uint16, nuclei as uint32 numbers (0: none)."""
        return {
            "a": Picture("uint16", (Channel("DIC", "FFFFFF"),)),
            "b": Picture("uint16", (Channel("DAPI", "0000FF"),)),
            "labels": Picture("uint32", (Channel("nuclei"),), is_label=True),
        }

    def axes(self, names: str, size: int) -> Axes:
        """The named axes in micrometres, whatever the size."""
        um = self.pixel_size_um
        scale = {"z": self.section_um, "y": um, "x": um}
        return Axes.named(names, scale, dict.fromkeys("zyx", "micrometer"))

    def paint(self, block: Block, view: View) -> npt.NDArray[Any]:
        """One block of one view, (frames, channels, y, x)."""
        height = (block.z - (block.sections - 1) / 2) * self.section_um
        blur = self._blur(view, height)
        margin = 0 if view == "labels" else blur.reach + 2
        cells = self.culture.monolayer(block.stream.named("culture"), block.box(margin))
        if view == "labels":
            numbers = self.culture.grid.numbers(cells.sites, block.size, 0)
            return numbered(numbers, cells.owner, cells.inside, len(block.frames))
        inner = slice(margin, margin + BLOCK)
        if view == "a":
            light = self._transmitted(block, cells, blur, height)
        else:
            light = blur(self._stained(block, cells))
        plane = light[inner, inner]
        frames = np.broadcast_to(plane, (len(block.frames), 1, *plane.shape))
        return detect(self.transmitted if view == "a" else self.widefield, frames, block, view)

    def _blur(self, view: View, height: float) -> Blur:
        """Light that comes from `height` micrometres off the focus is spread by the aperture."""
        if view == "a":
            return self.transmitted_blur
        spread = self.aperture * abs(height) / self.pixel_size_um
        return replace(self.widefield_blur, sharp=hypot(self.widefield_blur.sharp, spread))

    def _transmitted(self, block: Block, cells: Monolayer, blur: Blur, height: float) -> Plane:
        optics = self.interference
        phase = blur(optics.phase(cells))
        light = optics.brightness(phase, optics.focus_um + height, self.pixel_size_um)
        margin = (light.shape[0] - BLOCK) // 2
        lamp = Field(block.stream.named("lamp"), 300.0).over(block.box(margin))
        return np.asarray(light * np.exp(self.shading * lamp), np.float32)

    def _stained(self, block: Block, cells: Monolayer) -> Plane:
        """Light of DAPI from the whole thickness of the nuclei, 1 where a median one is 3 um."""
        spread = self.stain_spread * cells.sites.normal(block.stream.named("stain"))
        bound = np.exp(spread) * np.where(cells.rounded, self.condensed, 1.0)
        own = np.append(bound, 0.0)[cells.owner]
        texture = np.exp(self.chromatin * cells.grain)
        return np.asarray(own * cells.nucleus / 3 * texture * (1 - 0.15 * cells.nucleoli / 2), "f4")
