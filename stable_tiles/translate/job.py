"""Job: everything a worker must know to make any region of one translation; plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import unfinished_store
from stable_tiles.remote.location import Location, Remote
from stable_tiles.tiling.order import Curve
from stable_tiles.tiling.plan import Cut
from stable_tiles.translate.norms import Policy, Survey
from stable_tiles.translate.options import Direction
from stable_tiles.translate.pixels import Intensity

ERRORS = "confidence"
"""Name of the companion image inside the output."""

ERROR_CHANNELS = ("cycle", "information")
"""Channels of the companion image."""


@dataclass(frozen=True)
class Forward:
    """How tiles pass through the network.

    Parameters
    ----------
    device : str
        Kind of device.
    precision : "32" or "bf16"
        Of the arithmetic.
    compile : bool
        Whether the network is compiled.
    batch_pixels : int
        Planes share a forward pass while it has no more pixels than this.
    threads : int or None
        CPU threads of a worker; None takes what the worker was given.
    lanes : int
        Most forward passes side by side in a worker; they share its threads.
    frozen : bool
        Whether instance norms use the run's statistics.
    """

    device: Literal["cpu", "cuda", "mps"]
    precision: Literal["32", "bf16"]
    compile: bool
    batch_pixels: int
    threads: int | None
    lanes: int = 1
    frozen: bool = False


@dataclass(frozen=True)
class Job:
    """One translation, without its list of regions.

    Parameters
    ----------
    source : Path or Remote
        The source image.
    channels : tuple of int or None
        Channels of the source that the model takes.
    folder : Path or Remote
        Folder of the unfinished output.
    target : Path or Remote
        Final name of the output.
    spec, errors : ImageSpec
        What the output, and the companion image if any, look like.
    cut : Cut
        How a region becomes tiles.
    model, digest : str
        Path of the run, and the digest its model must have.
    direction : Direction
        From which domain to which.
    intensity : Intensity
        How pixels enter and leave the network.
    forward : Forward
        How tiles pass through the network.
    norm : Policy
        Whose statistics the network's norms use.
    survey : Survey or None
        How they are gathered from whole planes before regions are made, if they are.
    """

    source: Location
    channels: tuple[int, ...] | None
    folder: Location
    target: Location
    spec: ImageSpec
    errors: ImageSpec | None
    cut: Cut
    model: str
    digest: str
    direction: Direction
    intensity: Intensity
    forward: Forward
    norm: Policy
    survey: Survey | None

    @property
    def regions(self) -> Curve:
        """What one task each writes, in the order of work."""
        t, _, z, y, x = self.spec.layout.shape
        return Curve((t, z, y, x), self.spec.layout.region_shape)

    @property
    def store(self) -> Location:
        """The unfinished image."""
        return unfinished_store(self.target)

    @property
    def root(self) -> Location:
        """What the paths of written files are relative to."""
        return self.store if isinstance(self.store, Remote) else self.folder

    @property
    def error_target(self) -> Location:
        """Where the companion image will lie inside the unfinished one."""
        return self.store / ERRORS
