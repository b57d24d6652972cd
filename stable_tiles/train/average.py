"""Averaged weights: an exponential moving average of a network while it learns."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch

from stable_tiles.networks.network import Network


class Average:
    """A copy of a network whose weights and buffers trail the original's.

    After `n` updates the decay is ``min(decay, (1 + n) / (10 + n))``, so early
    averages are not held back by the first weights.

    Parameters
    ----------
    network : Translator
        The network that learns.
    decay : float
        Share of the average that an update keeps, 0..1.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = deepcopy(network).eval()
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Move the average towards the network; whole numbers are copied."""
        n, self._updates = self._updates, self._updates + 1
        weight = 1 - min(self._decay, (1 + n) / (10 + n))
        theirs = network.state_dict()
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], weight)
            else:
                mine.copy_(theirs[name])

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"network": self.network.state_dict(), "updates": self._updates}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self.network.load_state_dict(state["network"])
        self._updates = state["updates"]
