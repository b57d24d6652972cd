"""Networks that work in -1..1 and end in a hyperbolic tangent, as all rivals of STABLE do.

This module owns what they share beyond `Network`: the range, planes of any
size, one grey channel where a network is shared by domains of more, and
statistics of norms that are measured on translations alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor

from stable_tiles.errors import SettingsError
from stable_tiles.networks.chain import continued
from stable_tiles.networks.network import Direction, Network
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


def signed(x: Tensor) -> Tensor:
    """Network units 0..1 as -1..1."""
    return 2 * x - 1


def shared_channels(channels_a: int, channels_b: int, name: str) -> int:
    """Channels of a network that sees images of both domains.

    Raises
    ------
    SettingsError
        If domains differ and neither is grey.
    """
    few, many = sorted((channels_a, channels_b))
    if few not in {1, many}:
        raise SettingsError(
            f"method {name} shares a network between domains of {channels_a} and {channels_b} "
            "channels: use equal numbers, or one channel in either (data.channels)"
        )
    return many


def spread(x: Tensor, channels: int) -> Tensor:
    """Grey images (n, 1, h, w) with their channel repeated; others as they are."""
    return x.expand(-1, channels, -1, -1) if x.shape[1] < channels else x


def narrowed(x: Tensor, channels: int) -> Tensor:
    """The mean of all channels where one is wanted; else the images as they are."""
    return x.mean(dim=1, keepdim=True) if channels < x.shape[1] else x
