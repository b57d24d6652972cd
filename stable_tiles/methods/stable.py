"""STABLE: cycle consistency and an information-consistent feature map shared by both domains.

You et al., "Preserving spatial and quantitative information in unpaired
biomedical image-to-image translation", Cell Reports Methods 2025.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stable_tiles.methods.compilation import compiled
from stable_tiles.methods.losses import decay, distance, growth, information, least_squares
from stable_tiles.methods.method import Share, alone
from stable_tiles.methods.symmetry import draw, turn
from stable_tiles.networks.convolution import filters_once
from stable_tiles.networks.discriminator import PatchDiscriminator
from stable_tiles.networks.translator import Translator
from stable_tiles.settings import Settings, TrainingSettings


class Stable:
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
        self.device = device
        self._share = share
        generator = Translator(channels_a, channels_b, settings.network)
        critic_a = PatchDiscriminator(channels_a, settings.discriminator)
        critic_b = PatchDiscriminator(channels_b, settings.discriminator)
        self.generator = generator.to(device)
        self.critic_a, self.critic_b = critic_a.to(device), critic_b.to(device)
        self._learner = compiled(generator) if settings.training.compile else self.generator
        self.optimizers = {
            name: _optimizer(module, settings.training, _rate(name, settings.training), device)
            for name, module in self._trained().items()
        }

    @property
    def network(self) -> Translator:
        """The network that translates."""
        return self.generator

    @property
    def statistics(self) -> list[Tensor]:
        """Running statistics of norms."""
        return [
            statistic
            for network in self._trained().values()
            for layer in network.modules()
            if isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d)
            for statistic in (layer.running_mean, layer.running_var)
            if statistic is not None
        ]

    def step(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """One step of every network; see `Method.step`.

        The discriminators judge each fake once: the same verdicts train them
        and the generator.  All gradients are taken before any weight moves.
        """
        for module in self._trained().values():
            if not module.training:
                module.train()
        parts = self.settings.training.accumulate
        self._begin(step)
        pairs = zip(a.chunk(parts), b.chunk(parts), strict=True)
        found = [self._differentiate(part_a, part_b, step) for part_a, part_b in pairs]
        waits = [self._share(_gradients(optimizer)) for optimizer in self.optimizers.values()]
        for wait, optimizer in zip(waits, self.optimizers.values(), strict=True):
            wait()
            optimizer.step()
        if parts == 1:
            return found[0]
        return {name: torch.stack([losses[name] for losses in found]).mean() for name in found[0]}

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimisers, as tensors, numbers and names."""
        state: dict[str, Any] = {
            name: module.state_dict() for name, module in self._trained().items()
        }
        state["optimizers"] = {name: o.state_dict() for name, o in self.optimizers.items()}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of `state_dict`, with the same bits."""
        for name, module in self._trained().items():
            module.load_state_dict(state[name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])

    def _trained(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator,
            "discriminator_a": self.critic_a,
            "discriminator_b": self.critic_b,
        }

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

    def _begin(self, step: int) -> None:
        """Set the rates of a step and forget the gradients of the one before."""
        training = self.settings.training
        share = decay(step, training.steps, training.decay_steps)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = share * _rate(name, training)
            optimizer.zero_grad(set_to_none=True)

    def _differentiate(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """Add the gradients of some patches to all weights; returns their losses.

        Discriminators come first: their way back ends at the fakes, so the
        generator's is walked once, and freed as it is walked.
        """
        with self._precision(), filters_once(self._learner):
            passed = _Pass.of(self._learner, a, b, self._symmetry(step))
            on_fake_a, on_fake_b = self.critic_a(passed.fake_a), self.critic_b(passed.fake_b)
            on_a, on_b = self.critic_a(a), self.critic_b(b)
        losses = self._generator_losses(passed, on_fake_a, on_fake_b, step)
        losses["discriminator_a"] = least_squares(on_a, 1.0) + least_squares(on_fake_a, 0.0)
        losses["discriminator_b"] = least_squares(on_b, 1.0) + least_squares(on_fake_b, 0.0)
        judged = losses["discriminator_a"] + losses["discriminator_b"]
        self._backward(judged, ("discriminator_a", "discriminator_b"), retain_graph=True)
        self._backward(losses["total"], ("generator",))
        return {name: loss.detach() for name, loss in losses.items()}

    def _backward(
        self, loss: Tensor, names: tuple[str, ...], *, retain_graph: bool = False
    ) -> None:
        """Add a loss's gradients to the weights of these networks and of no other."""
        weights = [p for name in names for p in _parameters(self.optimizers[name])]
        loss = loss / self.settings.training.accumulate
        torch.autograd.backward(loss, inputs=weights, retain_graph=retain_graph or None)

    def _symmetry(self, step: int) -> int:
        """How translations are turned before they are translated back; 0 is not at all."""
        chosen = self.settings.losses.equivariant
        return draw(self.settings.training.seed, step) if chosen else 0

    def _precision(self) -> torch.autocast:
        wanted = self.settings.training.precision
        on_gpu = self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        bf16 = wanted == "bf16" or (wanted == "auto" and on_gpu)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)


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


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    groups: Iterable[dict[str, Any]] = optimizer.param_groups
    return [parameter for group in groups for parameter in group["params"]]


def _gradients(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p.grad for p in _parameters(optimizer) if p.grad is not None]
