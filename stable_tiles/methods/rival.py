"""Rival: what the methods that STABLE is compared with have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stable_tiles.errors import SettingsError
from stable_tiles.methods.adversarial import Adversarial
from stable_tiles.methods.losses import decay, least_squares
from stable_tiles.methods.method import Share
from stable_tiles.methods.replay import Replay
from stable_tiles.networks.critics import PatchCritic
from stable_tiles.networks.tanh import TanhNetwork
from stable_tiles.rivals import RivalSettings
from stable_tiles.settings import Settings


class Rival(Adversarial):
    """A network in -1..1, discriminators, and Adam for each.

    All that is drawn at random in a step follows from the seed and the step's
    number, so that a resumed training draws the same.

    Parameters
    ----------
    settings : Settings
    trained : mapping of str to Module
        All networks that learn; ``generator`` is the one that translates.
    device : torch.device
        Where everything lives.
    share : Share
        Averages gradients over the processes that train together.

    Raises
    ------
    SettingsError
        If networks are to be compiled: rivals are not.
    """

    def __init__(
        self,
        settings: Settings,
        trained: Mapping[str, nn.Module],
        device: torch.device,
        share: Share,
    ) -> None:
        if settings.training.compile:
            raise SettingsError(
                f"training.compile serves method stable alone, not {settings.method}: set it false"
            )
        if settings.rival is None:
            raise ValueError("stable is not a rival of itself")
        self.section: RivalSettings = settings.rival
        self.random = torch.Generator()
        self.pools: dict[str, Replay] = {}
        modules = {name: module.to(device) for name, module in trained.items()}
        optimizers = {
            name: torch.optim.Adam(
                module.parameters(),
                lr=self.section.learning_rate,
                betas=self.section.betas,
                weight_decay=self.section.weight_decay,
            )
            for name, module in modules.items()
        }
        super().__init__(modules, optimizers, settings.training, device, share)

    @property
    def network(self) -> TanhNetwork:
        """The network that translates."""
        network = self.trained["generator"]
        assert isinstance(network, TanhNetwork)  # every rival gives one
        return network

    @property
    def statistics(self) -> list[Tensor]:
        """None: they are measured when a network is settled."""
        return []

    def rate(self, name: str, step: int) -> float:
        """The learning rate at a step: constant, then falling linearly to nothing."""
        steps = self.training.steps
        last = round(self.section.decay_share * steps)
        return self.section.learning_rate * decay(step, steps, last or None)

    def begin(self, step: int) -> None:
        """Set rates, forget gradients, and let random draws follow from the step."""
        super().begin(step)
        words = np.random.SeedSequence((self.training.seed, step)).generate_state(1, np.uint64)
        self.random.manual_seed(int(words[0]) >> 1)

    def judged(self, name: str, real: Tensor, fake: Tensor) -> Tensor:
        """A discriminator's loss, ``mean((Q(real) - 1)^2) + mean(Q(fake)^2)``.

        Fakes are exchanged with those of earlier steps where there is a pool.
        """
        fake = fake.detach()
        if name in self.pools:
            fake = self.pools[name].exchange(fake, self.random)
        critic = self.trained[name]
        return least_squares(critic(real), 1.0) + least_squares(critic(fake), 0.0)

    def learn(
        self, losses: dict[str, Tensor], generators: tuple[str, ...], judging: float
    ) -> dict[str, Tensor]:
        """Add the gradients of the total, and of `judging` times each discriminator's loss."""
        critics = [name for name in losses if name.startswith("discriminator")]
        self.backward(losses["total"], generators)
        for name in critics:
            self.backward(judging * losses[name], (name,))
        return {name: loss.detach() for name, loss in losses.items()}

    def drawn(self, *shape: int) -> Tensor:
        """Numbers from N(0, 1), on the device; the same on every kind of device."""
        return torch.randn(shape, generator=self.random).to(self.device)

    def uniform(self, low: float, high: float, count: int) -> Tensor:
        """Numbers (count,) between bounds, on the device."""
        share = torch.rand(count, generator=self.random).to(self.device)
        return low + (high - low) * share

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimisers and kept translations."""
        pools = {name: pool.state_dict() for name, pool in self.pools.items()}
        return {**super().state_dict(), "pools": pools}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of `state_dict`, with the same bits."""
        super().load_state_dict(state)
        for name, pool in self.pools.items():
            pool.load_state_dict(state["pools"][name])


def patch_critic(channels: int, section: RivalSettings, *, filtered: bool = False) -> PatchCritic:
    """The discriminator that a rival's section describes."""
    width, layers = section.discriminator_width, section.discriminator_layers
    return PatchCritic(channels, width, layers, filtered=filtered)
