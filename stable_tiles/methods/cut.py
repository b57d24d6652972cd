"""CUT: every position of a translation shall be told from others by its place in the input.

Park et al., Contrastive learning for unpaired image-to-image translation,
ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.methods.losses import least_squares
from stable_tiles.methods.method import Share, alone
from stable_tiles.methods.rival import Rival, patch_critic
from stable_tiles.networks.chain import initialize
from stable_tiles.networks.cut import CutNetwork
from stable_tiles.networks.tanh import signed
from stable_tiles.settings import Settings


class Cut(Rival):
    """One generator from A to B, one discriminator of B, and projections of five maps."""

    def __init__(
        self,
        settings: Settings,
        channels_a: int,
        channels_b: int,
        device: torch.device,
        share: Share = alone,
    ) -> None:
        self.weights = section = settings.cut
        self.cut = CutNetwork(channels_a, channels_b, section.network)
        self.projections = Projections(self.cut.told_widths, section.features)
        trained = {
            "generator": self.cut,
            "projections": self.projections,
            "discriminator_b": patch_critic(channels_b, section, filtered=True),
        }
        super().__init__(settings, trained, device, share)

    def differentiate(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """Add the gradients of some patches to all weights; see `Adversarial.differentiate`."""
        weights = self.weights
        with self.precision():
            a, b = signed(a), signed(b)
            fake_b = self.cut.generate(a, "a2b")
            contrast = self._contrast(a, fake_b)
            if weights.identity:
                kept = self._contrast(b, self.cut.generate(b, "a2b"))
                contrast = (contrast + kept) / 2
            on_b = self.trained["discriminator_b"](fake_b)
            judged_b = self.judged("discriminator_b", b, fake_b)
        adversarial = least_squares(on_b, 1.0)
        losses = {
            "adversarial": adversarial,
            "contrast": contrast,
            "total": weights.adversarial * adversarial + weights.contrast * contrast,
            "discriminator_b": judged_b,
        }
        return self.learn(losses, ("generator", "projections"), 0.5)

    def _contrast(self, seen: Tensor, made: Tensor) -> Tensor:
        """PatchNCE of images and their translations, the mean over maps."""
        with torch.no_grad():
            maps = self.cut.maps(seen)
            places = [self._places(x) for x in maps]
            keys = self.projections(maps, places)
        queries = self.projections(self.cut.maps(made), places)
        terms = [
            patch_nce(query, key, self.weights.temperature)
            for query, key in zip(queries, keys, strict=True)
        ]
        return torch.stack(terms).mean()

    def _places(self, x: Tensor) -> Tensor:
        """Positions of a map that are told apart, drawn without repetition."""
        count = x.shape[2] * x.shape[3]
        order = torch.randperm(count, generator=self.random)
        return order[: self.weights.patches].to(self.device)


class Projections(nn.Module):
    """Turns positions of each map into vectors of length one: linear, ReLU, linear.

    Parameters
    ----------
    widths : sequence of int
        Channels of the maps.
    features : int
        Numbers of a vector.
    """

    def __init__(self, widths: Sequence[int], features: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(
            nn.Sequential(nn.Linear(width, features), nn.ReLU(), nn.Linear(features, features))
            for width in widths
        )
        initialize(self, "normal")

    def forward(self, maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Vectors (n, p, features), float32, of maps (n, c, h, w) at places (p,)."""
        vectors = []
        for project, x, at in zip(self.maps, maps, places, strict=True):
            chosen = x.flatten(2)[:, :, at].transpose(1, 2)
            vectors.append(functional.normalize(project(chosen).float(), dim=2))
        return vectors


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding each query's own key among those of its image.

    Parameters
    ----------
    queries, keys : Tensor, (n, p, features), float32
        Of length one.
    temperature : float
        Divides the products.
    """
    with torch.autocast(queries.device.type, enabled=False):
        alike = queries @ keys.transpose(1, 2) / temperature
    own = torch.arange(alike.shape[1], device=alike.device).expand(alike.shape[:2])
    return functional.cross_entropy(alike.flatten(0, 1), own.flatten())
