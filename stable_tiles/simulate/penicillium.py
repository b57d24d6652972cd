"""The penicillium task: walls and plasm of hyphae, few photons (domain A) and many (domain B)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import Axes
from stable_tiles.image.ngff import Channel
from stable_tiles.simulate.exposures import Exposures, stack_axes
from stable_tiles.simulate.fields import Volume
from stable_tiles.simulate.hyphae import Mycelium, septa
from stable_tiles.simulate.optics import Blur, Camera, Plane
from stable_tiles.simulate.scene import STACK, Block, Picture, View

CONFOCAL = Exposures(
    blur=Blur(sharp=0.9, wide=9.0, haze=0.30),
    low=Camera(photons=4.0, gain=8.0, offset=100.0, read_noise=10.0, dtype="uint16"),
    high=Camera(photons=150.0, gain=8.0, offset=100.0, read_noise=10.0, dtype="uint16"),
)
"""Photons so that the noisy image's correlation with the good one is the paper's 0.64."""


@dataclass(frozen=True)
class Penicillium:
    """The task; its fields are its physical parameters.

    Pixel and distance of sections are the paper's.  Walls shine, plasm less
    and unevenly, as dyes of the cell wall and autofluorescence show moulds.

    Parameters
    ----------
    wall, plasm, background : float
        Brightness of walls, of what they enclose, and of agar.
    wall_px : float
        Standard deviation of the wall's profile.
    grain, grain_px : float
        Standard deviation of the logarithm of the plasm's brightness, and pitch of its field.
    """

    mycelium: Mycelium = field(default_factory=Mycelium)
    microscope: Exposures = CONFOCAL
    wall: float = 1.0
    plasm: float = 0.40
    background: float = 0.04
    wall_px: float = 0.9
    grain: float = 0.35
    grain_px: float = 2.6
    pixel_size_um: float = 0.34
    section_um: float = 0.1

    name = "penicillium"
    extent = STACK

    def pictures(self, channels: int) -> Mapping[View, Picture]:
        """Both exposures as uint16; hyphae are not numbered."""
        image = Picture(self.microscope.high.dtype, (Channel("fluorescence", "FFFFFF"),))
        return {"a": image, "b": image}

    def axes(self, names: str, size: int) -> Axes:
        """The named axes in micrometres, whatever the size."""
        return stack_axes(names, self.pixel_size_um, self.section_um)

    def paint(self, block: Block, view: View) -> npt.NDArray[Any]:
        """One block of one view, (frames, channels, y, x)."""
        box, mould = block.box(self.microscope.margin), self.mycelium
        height = block.z * self.section_um / self.pixel_size_um
        stream = block.stream.named("mould")
        pieces = mould.pieces(stream, box, height)
        stamps = pieces.stamps(box, mould.reach)
        distance, way = pieces.distances(stamps)
        owner, (depth, along) = stamps.nearest(distance, [way])
        walls = np.exp(-(((depth + self.wall_px) / self.wall_px) ** 2) / 2)
        along = np.where(owner < 0, np.float32(0), along)
        across = np.exp(-((septa(along, mould.septum_px) / self.wall_px) ** 2) / 2)
        inside = np.clip(0.5 - depth, 0, 1)
        grain = np.exp(self.grain * Volume(stream.named("plasm"), self.grain_px).over(box, height))
        own = np.append(pieces.light, 0.0)[owner]
        shining = self.wall * np.maximum(walls, across * inside) + self.plasm * inside * grain
        light: Plane = np.asarray(self.background + own * shining, np.float32)
        return self.microscope.image(light, block, view)
