"""SUPPORT: a denoiser of movies that learns from noisy movies alone.

Eom et al., "Statistically unbiased prediction enables accurate denoising of
voltage imaging data", Nature Methods 2023.  A pixel's noise is independent of
all other pixels, and the network does not see the pixel that it predicts: what
can be predicted of it is the signal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stable_tiles.errors import SettingsError
from stable_tiles.methods.adversarial import Adversarial
from stable_tiles.methods.losses import decay, distance
from stable_tiles.methods.method import Share, alone
from stable_tiles.networks.support import SupportNetwork
from stable_tiles.settings import Settings


class Support(Adversarial):
    """One network and Adam; its target is the frame that it was given.

    Raises
    ------
    SettingsError
        If the network is to be compiled.
    """

    def __init__(
        self,
        settings: Settings,
        channels_a: int,
        channels_b: int,
        device: torch.device,
        share: Share = alone,
    ) -> None:
        if settings.training.compile:
            raise SettingsError("training.compile serves method stable alone: set it false")
        self.section = section = settings.support
        self.denoiser = SupportNetwork(channels_a, channels_b, section.network).to(device)
        optimizer = torch.optim.Adam(
            self.denoiser.parameters(), lr=section.learning_rate, betas=section.betas
        )
        trained, optimizers = {"denoiser": self.denoiser}, {"denoiser": optimizer}
        super().__init__(trained, optimizers, settings.training, device, share)

    @property
    def network(self) -> SupportNetwork:
        """The network that denoises."""
        return self.denoiser

    def rate(self, name: str, step: int) -> float:
        """The learning rate at a step: constant, then falling linearly to nothing."""
        last = round(self.section.decay_share * self.training.steps)
        return self.section.learning_rate * decay(step, self.training.steps, last or None)

    def differentiate(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """Add the gradients of pieces of movies (n, frames, c, h, w); `b` is not looked at."""
        with self.precision():
            denoised = self.denoiser(a)
        noisy = a[:, a.shape[1] // 2]
        l1, l2 = distance(denoised, noisy), (denoised.float() - noisy).square().mean()
        total = self.section.l1 * l1 + self.section.l2 * l2
        self.backward(total, ("denoiser",))
        return {"l1": l1.detach(), "l2": l2.detach(), "total": total.detach()}
