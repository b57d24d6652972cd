"""One specimen exposed twice: with few photons (domain A) and with many (domain B)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import Axes
from stable_tiles.simulate.optics import Blur, Camera, Plane
from stable_tiles.simulate.scene import BLOCK, Block, View, detect


@dataclass(frozen=True)
class Exposures:
    """A microscope and its two exposures; the noise of one says nothing of the other's.

    Parameters
    ----------
    blur : Blur
        Of both.
    low, high : Camera
        The detector at few and at many photons.
    """

    blur: Blur
    low: Camera
    high: Camera

    @property
    def margin(self) -> int:
        """Pixels around a block of which `image` needs the light."""
        return self.blur.reach

    def image(self, light: Plane, block: Block, view: View) -> npt.NDArray[Any]:
        """What the detector makes of a specimen.

        Parameters
        ----------
        light : float32 array (y, x)
            Of the block and `margin` pixels around it; 1 where the specimen is bright.
        block : Block
        view : "a" or "b"
            Few photons, or many.

        Returns
        -------
        array (frames, 1, y, x), see `detect`.
        """
        inner = slice(self.margin, self.margin + BLOCK)
        plane = self.blur(light)[inner, inner]
        frames = np.broadcast_to(plane, (len(block.frames), 1, *plane.shape))
        return detect(self.low if view == "a" else self.high, frames, block, view)


def stack_axes(names: str, pixel_um: float, section_um: float) -> Axes:
    """Axes of a stack of optical sections, in micrometres."""
    scale = {"z": section_um, "y": pixel_um, "x": pixel_um}
    return Axes.named(names, scale, dict.fromkeys("zyx", "micrometer"))
