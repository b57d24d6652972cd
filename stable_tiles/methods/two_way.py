"""Two-way: a generator and a discriminator for either direction, tied by cycles."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from stable_tiles.methods.losses import distance, least_squares
from stable_tiles.methods.method import Share
from stable_tiles.methods.replay import Replay
from stable_tiles.methods.rival import Rival, patch_critic
from stable_tiles.networks.build import build
from stable_tiles.networks.tanh import signed
from stable_tiles.rivals import CycleganSettings, UtomSettings
from stable_tiles.settings import Settings


class Images(NamedTuple):
    """Patches of a step and their translations, (n, c, h, w) in -1..1."""

    a: Tensor
    b: Tensor
    fake_a: Tensor
    fake_b: Tensor


class TwoWay(Rival):
    """Cycle consistency, and one further term that subclasses add.

    Parameters
    ----------
    settings : Settings
    channels : tuple of int
        Channels of the images of A and of B.
    section : CycleganSettings or UtomSettings
    device : torch.device
    share : Share
    """

    def __init__(
        self,
        settings: Settings,
        channels: tuple[int, int],
        section: CycleganSettings | UtomSettings,
        device: torch.device,
        share: Share,
    ) -> None:
        trained = {
            "generator": build(settings.architecture, *channels),
            "discriminator_a": patch_critic(channels[0], section),
            "discriminator_b": patch_critic(channels[1], section),
        }
        super().__init__(settings, trained, device, share)
        self.weights = section
        self.pools = {name: Replay(section.pool) for name in ("discriminator_a", "discriminator_b")}

    @abstractmethod
    def further(self, images: Images, step: int) -> tuple[str, Tensor, float]:
        """Name, value and weight of the further term."""

    def differentiate(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """Add the gradients of some patches to all weights; see `Adversarial.differentiate`."""
        generate, weights = self.network.generate, self.weights
        with self.precision():
            a, b = signed(a), signed(b)
            images = Images(a, b, generate(b, "b2a"), generate(a, "a2b"))
            back_a, back_b = generate(images.fake_b, "b2a"), generate(images.fake_a, "a2b")
            name, term, weight = self.further(images, step)
            on_a = self.trained["discriminator_a"](images.fake_a)
            on_b = self.trained["discriminator_b"](images.fake_b)
            judged_a = self.judged("discriminator_a", a, images.fake_a)
            judged_b = self.judged("discriminator_b", b, images.fake_b)
        adversarial = least_squares(on_a, 1.0) + least_squares(on_b, 1.0)
        cycle = distance(back_a, a) + distance(back_b, b)
        total = weights.adversarial * adversarial + weights.cycle * cycle + weight * term
        losses = {
            "adversarial": adversarial,
            "cycle": cycle,
            name: term,
            "total": total,
            "discriminator_a": judged_a,
            "discriminator_b": judged_b,
        }
        return self.learn(losses, ("generator",), 0.5)
