"""Network: what translates images between two domains, and how far it looks to do so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Literal

from torch import Tensor, nn

from stable_tiles.networks.statistics import instance_norms
from stable_tiles.sections import Architecture

Direction = Literal["a2b", "b2a"]
DomainName = Literal["a", "b"]

BOTH: tuple[Direction, ...] = ("a2b", "b2a")


class Network(nn.Module, ABC):
    """Translates images of domain A to B, and, where `directions` says so, back.

    Parameters
    ----------
    channels_a, channels_b : int
        Channels of the images of either domain.
    settings : Architecture
        What the networks are made of.

    Notes
    -----
    A tile that starts at a multiple of `stride`, has a halo of at least
    ``local_reach(direction)`` pixels, and is clipped where the image ends,
    gives what the whole image gives, once the statistics of norms are given.
    """

    directions: tuple[Direction, ...] = BOTH
    """Directions that it translates in."""

    multiple: int = 1
    """Planes are continued inside to sides that are multiples of this."""

    def __init__(self, channels_a: int, channels_b: int, settings: Architecture) -> None:
        super().__init__()
        self.settings = settings
        self.channels = {"a": channels_a, "b": channels_b}

    @property
    @abstractmethod
    def stride(self) -> int:
        """Tiles start at multiples of this many pixels."""

    @abstractmethod
    def local_reach(self, direction: Direction) -> int:
        """Pixels beyond an output pixel that it depends on once all statistics are given."""

    @abstractmethod
    def parts(self, direction: Direction) -> tuple[str, ...]:
        """Names of the child modules that a translation calls."""

    @abstractmethod
    def translate(self, x: Tensor, direction: Direction) -> Tensor:
        """Images (n, c, h, w) of one domain as images of the other, same h and w.

        Network units: 0..1 spans the normalised intensities, in and out.
        """

    @abstractmethod
    def settle(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Measure on images what translating needs besides weights.

        Call it before validating or saving.

        Parameters
        ----------
        batches : iterable of (a, b)
            Images (n, c, h, w) of both domains, network units.
        """

    def halves(self, direction: Direction) -> tuple[int, int] | None:
        """How far either half looks, pixels, where a translation can run as two; else None."""
        return None

    @property
    def holds_statistics(self) -> bool:
        """Whether every instance norm, if any, has running statistics."""
        return all(layer.holds_statistics for layer in instance_norms(self).values())

    def reach(self, direction: Direction) -> int | None:
        """Pixels beyond an output pixel that it depends on; None where there is no limit.

        An instance norm without running statistics makes every pixel depend
        on the whole image.
        """
        return self.local_reach(direction) if self.holds_statistics else None

    def parameter_count(self, direction: Direction) -> int:
        """Trained numbers that translating in a direction uses."""
        parts = (self.get_submodule(name) for name in self.parts(direction))
        return sum(parameter.numel() for part in parts for parameter in part.parameters())

    def forward(self, x: Tensor, direction: Direction = "a2b") -> Tensor:
        """The same as `translate`."""
        return self.translate(x, direction)


def domains(direction: Direction) -> tuple[DomainName, DomainName]:
    """The source and the target of a direction."""
    return ("a", "b") if direction == "a2b" else ("b", "a")
