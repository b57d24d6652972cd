"""SANTA: one decoder for both domains, and a short path from one to the other.

Xie et al., Unpaired image-to-image translation with shortest path
regularization, CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stable_tiles.methods.losses import distance, least_squares
from stable_tiles.methods.method import Share, alone
from stable_tiles.methods.rival import Rival, patch_critic
from stable_tiles.networks.santa import SantaNetwork
from stable_tiles.networks.tanh import signed
from stable_tiles.settings import Settings

STEPS = (0.05, 0.1)
"""Half of the stretch of path whose length is measured: least and most."""


class Santa(Rival):
    """One generator from A to B, one discriminator of B."""

    def __init__(
        self,
        settings: Settings,
        channels_a: int,
        channels_b: int,
        device: torch.device,
        share: Share = alone,
    ) -> None:
        self.weights = section = settings.santa
        self.santa = SantaNetwork(channels_a, channels_b, section.network)
        trained = {
            "generator": self.santa,
            "discriminator_b": patch_critic(channels_b, section, filtered=True),
        }
        super().__init__(settings, trained, device, share)

    def differentiate(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """Add the gradients of some patches to all weights; see `Adversarial.differentiate`."""
        weights, n = self.weights, len(a)
        with self.precision():
            a, b = signed(a), signed(b)
            both = torch.cat([self.santa.spread(x) for x in (a, b)])
            clean = self.santa.encode(both)
            latent_a, latent_b = (clean + self.drawn(*clean.shape)).chunk(2)
            ends = torch.cat([a.new_ones(n), a.new_zeros(n), a.new_ones(n)])
            made = self.santa.decode(torch.cat([latent_a, latent_a, latent_b]), ends)[-1]
            fake_b, own_a, own_b = made.chunk(3)
            fake_b = self.santa.narrowed(fake_b, "b")
            path = self._path(latent_a)
            on_b = self.trained["discriminator_b"](fake_b)
            judged_b = self.judged("discriminator_b", b, fake_b)
        losses = {
            "adversarial": least_squares(on_b, 1.0),
            "reconstruction": distance(self.santa.narrowed(own_a, "a"), a)
            + distance(self.santa.narrowed(own_b, "b"), b),
            "latent": clean.float().square().mean(),
            "path": path,
        }
        named = weights.model_dump(include=set(losses))
        losses["total"] = torch.stack([named[name] * loss for name, loss in losses.items()]).sum()
        return self.learn({**losses, "discriminator_b": judged_b}, ("generator",), 0.5)

    def _path(self, latent: Tensor) -> Tensor:
        """How much the decoder changes over a stretch of the path, drawn for each patch."""
        centre = self.uniform(0, 1, len(latent))
        half = self.uniform(*STEPS, len(latent))
        far, near = (centre + half).clamp(max=1), (centre - half).clamp(min=0)
        maps_far = self.santa.decode(latent, far)[:-1]
        return path_length(maps_far, self.santa.decode(latent, near)[:-1], far - near)


def path_length(far: Sequence[Tensor], near: Sequence[Tensor], stretch: Tensor) -> Tensor:
    """The mean over maps of ``mean(((far - near) / max(stretch, 0.1))^2)``.

    Parameters
    ----------
    far, near : sequence of Tensor, (n, c, h, w)
        The same maps at both ends of the stretch.
    stretch : Tensor, (n,)
        Its extent in places, 0..1.
    """
    apart = stretch.clamp(min=0.1).view(-1, 1, 1, 1)
    terms = [
        ((one.float() - other.float()) / apart).square().mean()
        for one, other in zip(far, near, strict=True)
    ]
    return torch.stack(terms).mean()
