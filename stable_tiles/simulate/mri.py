"""The mri task: one head, T2-weighted (domain A) and proton-density-weighted (domain B)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import Axes
from stable_tiles.image.ngff import Channel
from stable_tiles.simulate.head import Head, Slab
from stable_tiles.simulate.optics import Blur, Plane
from stable_tiles.simulate.scene import BLOCK, STACK, Block, Picture, View, detect

FIELD_OF_VIEW_MM = 240.0
"""Side of the image (the paper's reconstruction diameter), however many voxels it has."""

RECONSTRUCTION = Blur(sharp=0.5)
"""The 187 phase-encoding steps of the paper are brought to 256 voxels."""


@dataclass(frozen=True)
class Tissue:
    """What a tissue does to the spins of its water.

    Parameters
    ----------
    t1_ms, t2_ms : float
        Relaxation times.
    density : float
        Of protons, relative to water.
    """

    t1_ms: float
    t2_ms: float
    density: float


TISSUES: Mapping[str, Tissue] = {
    "fluid": Tissue(2569.0, 329.0, 1.00),
    "grey": Tissue(833.0, 83.0, 0.86),
    "white": Tissue(500.0, 70.0, 0.77),
    "fat": Tissue(350.0, 70.0, 1.00),
    "muscle": Tissue(900.0, 47.0, 1.00),
}
"""At 1.5 T, from BrainWeb's simulator (Kwan, Evans and Pike 1999, doi:10.1109/42.816072)."""


@dataclass(frozen=True)
class SpinEcho:
    """A spin-echo sequence: repetition and echo time, milliseconds."""

    repetition_ms: float
    echo_ms: float

    def signal(self, tissue: Tissue) -> float:
        """``density * (1 - exp(-TR / T1)) * exp(-TE / T2)``, relative to all spins of water."""
        recovered = 1 - exp(-self.repetition_ms / tissue.t1_ms)
        return tissue.density * recovered * exp(-self.echo_ms / tissue.t2_ms)


@dataclass(frozen=True)
class Receiver:
    """Magnitude of a complex signal with Gaussian noise in both parts: Rician.

    ``sqrt((signal + n1) ** 2 + n2 ** 2)`` (Gudbjartsson and Patz 1995,
    doi:10.1002/mrm.1910340618).

    Parameters
    ----------
    gain : float
        Counts of a signal of 1.
    noise : float
        Standard deviation of either part, signal of 1.
    dtype : str
        Integer type of the image.
    """

    gain: float = 1500.0
    noise: float = 0.012
    dtype: str = "uint16"

    def expected(self, brightness: Plane) -> Plane:
        """Counts without noise, float32."""
        return np.asarray(self.gain * brightness, np.float32)

    def expose(self, brightness: Plane, rng: np.random.Generator) -> npt.NDArray[np.integer]:
        """Counts of one acquisition: integers of `dtype`, in the shape of `brightness`."""
        real, imaginary = self.noise * rng.standard_normal((2, *brightness.shape))
        counts = np.rint(self.gain * np.hypot(brightness + real, imaginary))
        return np.asarray(np.clip(counts, 0, np.iinfo(self.dtype).max), self.dtype)


@dataclass(frozen=True)
class DualEcho:
    """The task; its fields are its physical parameters.

    Both images come from one head and one scan with two echoes, at the
    paper's times, so that coil and protons are the same in both: wherever a
    voxel holds one tissue, A divided by B is ``exp(-(100 - 8) / T2)``.  The
    head fills the image whatever the size; sections are centred in the head,
    give or take `level_mm`.

    Parameters
    ----------
    coil, coil_pitch_mm : float
        Standard deviation of the logarithm of the coil's sensitivity, and pitch of its field:
        about BrainWeb's 20 % from least to greatest.
    uneven, uneven_pitch_mm : float
        The same of the protons within a tissue.
    """

    head: Head = field(default_factory=Head)
    t2_weighted: SpinEcho = SpinEcho(8178.34, 100.0)
    pd_weighted: SpinEcho = SpinEcho(8178.34, 8.0)
    receiver: Receiver = Receiver()
    blur: Blur = RECONSTRUCTION
    coil: float = 0.07
    coil_pitch_mm: float = 70.0
    uneven: float = 0.02
    uneven_pitch_mm: float = 5.0
    level_mm: float = 10.0
    section_mm: float = 1.25
    tissues: Mapping[str, Tissue] = field(default_factory=lambda: dict(TISSUES))

    name = "mri"
    extent = STACK

    def pictures(self, channels: int) -> Mapping[View, Picture]:
        """Both echoes as uint16; there are no cells to number."""
        names = ("T2-weighted", "PD-weighted")
        t2, pd = (Picture(self.receiver.dtype, (Channel(name, "FFFFFF"),)) for name in names)
        return {"a": t2, "b": pd}

    def axes(self, names: str, size: int) -> Axes:
        """The named axes in millimetres: the field of view has `size` voxels a side."""
        side = FIELD_OF_VIEW_MM / size
        scale = {"z": self.section_mm, "y": side, "x": side}
        return Axes.named(names, scale, dict.fromkeys("zyx", "millimeter"))

    def paint(self, block: Block, view: View) -> npt.NDArray[Any]:
        """One block of one view, (frames, channels, y, x)."""
        stream, margin = block.stream.named("head"), self.blur.reach + 2
        middle = block.size // 2
        y0, x0, y1, x1 = (edge - middle for edge in block.box(margin))
        level = self.level_mm * float(stream.named("level").normal(0))
        height = level + (block.z - (block.sections - 1) / 2) * self.section_mm
        slab = Slab((y0, x0, y1, x1), FIELD_OF_VIEW_MM / block.size, height)
        sequence = self.t2_weighted if view == "a" else self.pd_weighted
        shares = self.head.section(stream, slab)
        light = sum(
            (
                np.float32(sequence.signal(tissue)) * shares[name]
                for name, tissue in self.tissues.items()
            ),
            np.zeros(1, np.float32),
        )
        coil = self.coil * slab.field(stream.named("coil"), self.coil_pitch_mm)
        uneven = self.uneven * slab.field(stream.named("uneven"), self.uneven_pitch_mm)
        seen = self.blur(np.asarray(light * np.exp(coil + uneven), np.float32))
        plane = seen[margin : margin + BLOCK, margin : margin + BLOCK]
        frames = np.broadcast_to(plane, (len(block.frames), 1, *plane.shape))
        return detect(self.receiver, frames, block, view)
