"""The he task: two-photon fluorescence (domain A) and hematoxylin-eosin (domain B) of tissue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import Axes
from stable_tiles.image.ngff import RGB_CHANNELS, Channel
from stable_tiles.simulate.cells import numbered
from stable_tiles.simulate.optics import Blur, Camera, Plane
from stable_tiles.simulate.scene import BLOCK, Block, Extent, Picture, View, detect
from stable_tiles.simulate.tissue import Section, Tissue

HEMATOXYLIN = (0.65, 0.70, 0.29)
"""Direction of optical density in red, green, blue (Ruifrok and Johnston 2001, PMID 11531144)."""

EOSIN = (0.07, 0.99, 0.11)
"""As `HEMATOXYLIN`."""

PHOTOMULTIPLIER = Camera(photons=60.0, gain=3.6, offset=5.0, read_noise=1.5, dtype="uint8")
"""Brightness 1 gives 221 counts of 255 from 60 photons."""

SCANNER = Camera(photons=3000.0, gain=0.081, offset=0.0, read_noise=1.0, dtype="uint8")
"""Clear glass gives 243 counts of 255; slide scanners have next to no noise."""

TWO_PHOTON = Blur(sharp=0.8, wide=5.0, haze=0.08)
"""Full width at half maximum 1.9 px = 1.0 um: NA 0.7 at 920 nm, and some scattered light."""

BRIGHTFIELD = Blur(sharp=0.6)
"""Full width at half maximum 1.4 px = 0.8 um: a 20x slide scanner brought to 0.55 um."""


Uptake = tuple[float, float, float]
"""What nuclei, cytoplasm and matrix of density 1 take up or send."""


@dataclass(frozen=True)
class Staining:
    """How labels and stains show the three compartments of a section.

    The paper labels the three compartments and finds nuclei in the green
    channel; red is cytoplasm, blue the extracellular matrix.

    Parameters
    ----------
    red, green, blue : (nuclei, cytoplasm, matrix)
        Brightness of each fluorescence channel at density 1.
    hematoxylin, eosin : (nuclei, cytoplasm, matrix)
        Optical density (decimal) of each stain at density 1.
    """

    red: Uptake = (0.10, 0.75, 0.30)
    green: Uptake = (0.65, 0.06, 0.03)
    blue: Uptake = (0.03, 0.08, 0.65)
    hematoxylin: Uptake = (0.62, 0.10, 0.02)
    eosin: Uptake = (0.10, 0.20, 0.26)

    def fluorescence(self, section: Section) -> Plane:
        """Brightness of red, green, blue, float32 (3, y, x), about 1 at the brightest."""
        return np.stack([_mixed(section, one) for one in (self.red, self.green, self.blue)])

    def transmittance(self, section: Section) -> Plane:
        """Share of white light that passes in red, green, blue, float32 (3, y, x), 0..1."""
        hematoxylin = _mixed(section, self.hematoxylin)
        eosin = _mixed(section, self.eosin)
        stains = zip(HEMATOXYLIN, EOSIN, strict=True)
        return np.stack([10.0 ** -(h * hematoxylin + e * eosin) for h, e in stains])


@dataclass(frozen=True)
class HematoxylinEosin:
    """The task; its fields are its physical parameters.

    Both domains show one section: A the light that the labels of nuclei,
    cytoplasm and matrix send, dark where there is glass, and B the light that
    hematoxylin and eosin leave, white there:
    ``transmittance = 10 ** -(c_h * HEMATOXYLIN + c_e * EOSIN)`` (Beer-Lambert).
    The pixel is the paper's.
    """

    tissue: Tissue = field(default_factory=Tissue)
    staining: Staining = field(default_factory=Staining)
    two_photon: Blur = TWO_PHOTON
    brightfield: Blur = BRIGHTFIELD
    photomultiplier: Camera = PHOTOMULTIPLIER
    scanner: Camera = SCANNER
    pixel_size_um: float = 0.55

    name = "he"
    extent = Extent(time=False, depth=False, channels=range(3, 4))

    def pictures(self, channels: int) -> Mapping[View, Picture]:
        """Both domains as uint8 RGB, nuclei as uint32 numbers (0: none)."""
        labelled = zip(("cytoplasm", "nuclei", "matrix"), RGB_CHANNELS, strict=True)
        fluorescence = tuple(Channel(name, channel.color) for name, channel in labelled)
        return {
            "a": Picture("uint8", fluorescence, is_rgb=True),
            "b": Picture("uint8", RGB_CHANNELS, is_rgb=True),
            "labels": Picture("uint32", (Channel("nuclei"),), is_label=True),
        }

    def axes(self, names: str, size: int) -> Axes:
        """The named axes in micrometres, whatever the size."""
        scale = dict.fromkeys("yx", self.pixel_size_um)
        return Axes.named(names, scale, dict.fromkeys("yx", "micrometer"))

    def paint(self, block: Block, view: View) -> npt.NDArray[Any]:
        """One block of one view, (frames, channels, y, x)."""
        blur, camera = self._microscope(view)
        margin = 0 if view == "labels" else blur.reach
        section = self.tissue.section(block.stream.named("tissue"), block.box(margin))
        if view == "labels":
            return self._numbers(block, section)
        stained = self.staining
        light = stained.fluorescence(section) if view == "a" else stained.transmittance(section)
        inner = slice(margin, margin + BLOCK)
        planes = np.stack([blur(plane)[inner, inner] for plane in light])
        frames = np.broadcast_to(planes, (len(block.frames), *planes.shape))
        return detect(camera, frames, block, view)

    def _microscope(self, view: View) -> tuple[Blur, Camera]:
        if view == "a":
            return self.two_photon, self.photomultiplier
        return self.brightfield, self.scanner

    def _numbers(self, block: Block, section: Section) -> npt.NDArray[np.uint32]:
        numbers = self.tissue.grid.numbers(section.sites, block.size, 0)
        return numbered(numbers, section.owner, section.inside, len(block.frames))


def _mixed(section: Section, weights: Uptake) -> Plane:
    nuclei, cytoplasm, matrix = weights
    total = nuclei * section.nuclei + cytoplasm * section.cytoplasm + matrix * section.matrix
    return np.asarray(total, np.float32)
