"""What a training method is: networks that one step makes better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from stable_tiles.networks.network import Network

Share = Callable[[list[Tensor]], Callable[[], None]]
"""Begins to average gradients, in place, over processes; what it returns waits for the end."""


def alone(gradients: list[Tensor]) -> Callable[[], None]:
    """One process: the gradients are the mean already."""
    return lambda: None


class Method(Protocol):
    """Networks, their losses and their optimisers, advanced one step at a time."""

    @property
    def network(self) -> Network:
        """The network that translates."""

    @property
    def statistics(self) -> list[Tensor]:
        """Running statistics of norms, which processes that train together average."""

    def step(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """Improve every network once.

        Parameters
        ----------
        a, b : Tensor, (n, c, h, w), float32
            Patches of the two domains in network units, on the method's device; the
            denoiser's are (n, t, c, h, w), the same in `a` and `b`.
        step : int
            Number of this step, from 0.

        Returns
        -------
        dict of Tensor
            Every loss by its settings' name, scalars without a gradient, left
            on the device so that reading them is the caller's choice.
        """

    def state_dict(self) -> dict[str, Any]:
        """All that a training which continues with the same bits needs."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
