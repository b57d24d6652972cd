"""CycleGAN: cycle consistency, identity, and discriminators that remember.

Zhu et al., Unpaired image-to-image translation using cycle-consistent
adversarial networks, ICCV 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stable_tiles.methods.losses import distance
from stable_tiles.methods.method import Share, alone
from stable_tiles.methods.two_way import Images, TwoWay
from stable_tiles.settings import Settings


class Cyclegan(TwoWay):
    """Two residual generators; identity where both domains have as many channels."""

    def __init__(
        self,
        settings: Settings,
        channels_a: int,
        channels_b: int,
        device: torch.device,
        share: Share = alone,
    ) -> None:
        section = settings.cyclegan
        super().__init__(settings, (channels_a, channels_b), section, device, share)
        self.identity = section.identity * section.cycle if channels_a == channels_b else 0.0

    def further(self, images: Images, step: int) -> tuple[str, Tensor, float]:
        """Identity: an image of the target domain shall stay as it is."""
        if self.identity == 0:
            return "identity", images.a.new_zeros(()), 0.0
        generate = self.network.generate
        term = distance(generate(images.b, "a2b"), images.b)
        term = term + distance(generate(images.a, "b2a"), images.a)
        return "identity", term, self.identity
