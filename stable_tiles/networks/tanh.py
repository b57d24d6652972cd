"""Networks that work in -1..1 and end in a hyperbolic tangent, as all rivals of STABLE do.

This module owns what they share beyond `Network`: the range, planes of any
size, one grey channel where a network is shared by domains of more, and
statistics of norms that are measured on translations alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Protocol, cast

import torch
from torch import Tensor

from stable_tiles.errors import SettingsError
from stable_tiles.networks.chain import continued
from stable_tiles.networks.network import Direction, DomainName, Network
from stable_tiles.networks.reach import Span, reach
from stable_tiles.networks.statistics import tracked
from stable_tiles.sections import Architecture


class TanhNetwork(Network):
    """Translates network units (0..1) by way of -1..1.

    Planes are continued at the bottom and the right, by their last row and
    column, to multiples of the stride, and results cut to the plane again.
    """

    least: int = 8
    """Side of the smallest plane that is not continued, pixels."""

    def __init__(self, channels_a: int, channels_b: int, settings: Architecture) -> None:
        super().__init__(channels_a, channels_b, settings)
        self.multiple = settings.stride

    @property
    def stride(self) -> int:
        """Tiles start at multiples of this many pixels."""
        return self.settings.stride

    @abstractmethod
    def generate(self, x: Tensor, direction: Direction) -> Tensor:
        """Images (n, c, h, w) in -1..1 as images of the other domain, -1..1.

        Height and width are multiples of the stride.
        """

    def translate(self, x: Tensor, direction: Direction) -> Tensor:
        """Images (n, c, h, w) of one domain as images of the other, same h and w, 0..1."""
        height, width = x.shape[2:]
        made = self.generate(signed(continued(x, self.multiple, self.least)), direction)
        return (0.5 * made + 0.5)[:, :, :height, :width]

    @torch.no_grad()
    def settle(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Measure the statistics of all norms on translations of images; see `Network.settle`."""
        with tracked(self):
            for a, b in batches:
                for direction in self.directions:
                    self.translate(a if direction == "a2b" else b, direction)


class Generator(Protocol):
    """A module that knows how far it looks."""

    def __call__(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same size."""

    def needs(self, span: Span) -> Span:
        """Input pixels that output pixels depend on, once statistics are given."""


class TwoGenerators(TanhNetwork):
    """A generator for either direction: ``generator_a2b`` and ``generator_b2a``."""

    def parts(self, direction: Direction) -> tuple[str, ...]:
        """The direction's generator."""
        return (f"generator_{direction}",)

    def generate(self, x: Tensor, direction: Direction) -> Tensor:
        """Images in -1..1 as images of the other domain; see `TanhNetwork.generate`."""
        return self._generator(direction)(x)

    def local_reach(self, direction: Direction) -> int:
        """Pixels beyond an output pixel that it depends on once all statistics are given."""
        return reach(self._generator(direction).needs, self.stride)

    def _generator(self, direction: Direction) -> Generator:
        return cast(Generator, self.get_submodule(f"generator_{direction}"))


class OneWay(TanhNetwork):
    """Translates from A to B only, and sees images of both domains.

    Grey images get the channels of the other domain (`inner`) by repetition,
    and are the mean of as many.

    Raises
    ------
    SettingsError
        If the domains' channels differ and neither is grey.
    """

    directions = ("a2b",)

    def __init__(self, channels_a: int, channels_b: int, settings: Architecture) -> None:
        super().__init__(channels_a, channels_b, settings)
        few, self.inner = sorted((channels_a, channels_b))
        if few not in {1, self.inner}:
            raise SettingsError(
                "methods santa and cut share a network between the domains, here of "
                f"{channels_a} and {channels_b} channels: use equal numbers, or one channel in "
                "either (data.channels)"
            )

    def spread(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) with `inner` channels."""
        return x.expand(-1, self.inner, -1, -1)

    def narrowed(self, x: Tensor, domain: DomainName) -> Tensor:
        """Images (n, `inner`, h, w) with the channels of a domain."""
        return x.mean(dim=1, keepdim=True) if self.channels[domain] < self.inner else x


def signed(x: Tensor) -> Tensor:
    """Network units 0..1 as -1..1."""
    return 2 * x - 1
