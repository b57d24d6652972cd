"""STABLE: cycle consistency and an information-consistent feature map shared by both domains.

You et al., "Preserving spatial and quantitative information in unpaired
biomedical image-to-image translation", Cell Reports Methods 2025.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from stable_tiles.methods.adversarial import Adversarial
from stable_tiles.methods.compilation import compiled
from stable_tiles.methods.losses import decay, distance, growth, information, least_squares
from stable_tiles.methods.method import Share, alone
from stable_tiles.methods.symmetry import draw, turn
from stable_tiles.networks.convolution import filters_once
from stable_tiles.networks.discriminator import PatchDiscriminator
from stable_tiles.networks.translator import Translator
from stable_tiles.settings import Settings, TrainingSettings


class Stable(Adversarial):
    """Both encoder/decoder pairs, two discriminators, and three AdamW optimisers.

    Parameters
    ----------
    settings : Settings
        Networks, losses and training.
    channels_a, channels_b : int
        Channels of the images of either domain.
    device : torch.device
        Where everything lives.
    share : Share
        Averages gradients over the processes that train together.
    """

    def __init__(
        self,
        settings: Settings,
        channels_a: int,
        channels_b: int,
        device: torch.device,
        share: Share = alone,
    ) -> None:
        self.settings = settings
        generator = Translator(channels_a, channels_b, settings.network)
        critic_a = PatchDiscriminator(channels_a, settings.discriminator)
        critic_b = PatchDiscriminator(channels_b, settings.discriminator)
        self.generator = generator.to(device)
        self.critic_a, self.critic_b = critic_a.to(device), critic_b.to(device)
        self._learner = compiled(generator) if settings.training.compile else self.generator
        trained = {
            "generator": self.generator,
            "discriminator_a": self.critic_a,
            "discriminator_b": self.critic_b,
        }
        optimizers = {
            name: _optimizer(module, settings.training, _rate(name, settings.training), device)
            for name, module in trained.items()
        }
        super().__init__(trained, optimizers, settings.training, device, share)

    @property
    def network(self) -> Translator:
        """The network that translates."""
        return self.generator

    def rate(self, name: str, step: int) -> float:
        """The learning rate of a network at a step: constant, then falling where asked for."""
        share = decay(step, self.training.steps, self.training.decay_steps)
        return share * _rate(name, self.training)

    def _generator_losses(
        self, passed: _Pass, on_fake_a: list[Tensor], on_fake_b: list[Tensor], step: int
    ) -> dict[str, Tensor]:
        weights = self.settings.losses
        adversarial = least_squares(on_fake_a, 1.0) + least_squares(on_fake_b, 1.0)
        consistency = information(passed.features_a, passed.features_b, weights.stop_gradient)
        cycle = passed.cycle
        grown = weights.cycle * growth(step, weights.cycle_growth_steps)
        total = (
            weights.adversarial * adversarial + weights.information * consistency + grown * cycle
        )
        return {
            "adversarial": adversarial,
            "information": consistency,
            "cycle": cycle,
            "total": total,
        }

    def differentiate(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """Add the gradients of some patches to all weights; returns their losses.

        The discriminators judge each fake once: the same verdicts train them
        and the generator.  Discriminators come first: their way back ends at
        the fakes, so the generator's is walked once, and freed as it is walked.
        """
        with self.precision(), filters_once(self._learner):
            passed = _Pass.of(self._learner, a, b, self._symmetry(step))
            on_fake_a, on_fake_b = self.critic_a(passed.fake_a), self.critic_b(passed.fake_b)
            on_a, on_b = self.critic_a(a), self.critic_b(b)
        losses = self._generator_losses(passed, on_fake_a, on_fake_b, step)
        losses["discriminator_a"] = least_squares(on_a, 1.0) + least_squares(on_fake_a, 0.0)
        losses["discriminator_b"] = least_squares(on_b, 1.0) + least_squares(on_fake_b, 0.0)
        judged = losses["discriminator_a"] + losses["discriminator_b"]
        self.backward(judged, ("discriminator_a", "discriminator_b"), retain_graph=True)
        self.backward(losses["total"], ("generator",))
        return {name: loss.detach() for name, loss in losses.items()}

    def _symmetry(self, step: int) -> int:
        """How translations are turned before they are translated back; 0 is not at all."""
        chosen = self.settings.losses.equivariant
        return draw(self.settings.training.seed, step) if chosen else 0


class _Pass(NamedTuple):
    """All images and feature maps of one step that losses need."""

    fake_a: Tensor
    fake_b: Tensor
    features_a: tuple[Tensor, Tensor]
    features_b: tuple[Tensor, Tensor]
    cycle: Tensor

    @classmethod
    def of(cls, generator: Translator, a: Tensor, b: Tensor, symmetry: int) -> _Pass:
        """Call every network when its input is there.

        Without norms a patch does not depend on its batch: the cycle of B then
        starts late, so that E_B and D_A are called once for both cycles.
        """
        size_a, size_b = (a.shape[2], a.shape[3]), (b.shape[2], b.shape[3])
        feature_a = generator.encode(a, "a")
        fake_b = generator.decode(feature_a, "b", size_a)
        turned_b = turn(fake_b, symmetry)
        if generator.settings.norm == "none" and turned_b.shape == b.shape:
            both = generator.encode(torch.cat([b, turned_b]), "b")
            feature_b, again_a = both.chunk(2)
            fake_a, back_a = generator.decode(both, "a", size_a).chunk(2)
        else:
            feature_b, again_a = generator.encode(b, "b"), generator.encode(turned_b, "b")
            fake_a = generator.decode(feature_b, "a", size_b)
            back_a = generator.decode(again_a, "a", size_a)
        again_b = generator.encode(turn(fake_a, symmetry), "a")
        back_b = generator.decode(again_b, "b", size_b)
        return cls(
            fake_a,
            fake_b,
            (turn(feature_a, symmetry), again_a),
            (turn(feature_b, symmetry), again_b),
            distance(back_a, turn(a, symmetry)) + distance(back_b, turn(b, symmetry)),
        )


def _rate(name: str, training: TrainingSettings) -> float:
    own = training.discriminator_learning_rate
    return training.learning_rate if own is None or name == "generator" else own


def _optimizer(
    module: nn.Module, training: TrainingSettings, rate: float, device: torch.device
) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        module.parameters(),
        lr=rate,
        betas=training.betas,
        weight_decay=training.weight_decay,
        fused=device.type in {"cpu", "cuda"},
    )
