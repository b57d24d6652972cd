"""MUNIT: images are content and style, and every code and image is found again.

Huang et al., Multimodal unsupervised image-to-image translation, ECCV 2018;
written from the paper's formulas.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stable_tiles.methods.losses import distance, least_squares
from stable_tiles.methods.method import Share, alone
from stable_tiles.methods.rival import Rival
from stable_tiles.networks.critics import ScaledCritic
from stable_tiles.networks.munit import MunitNetwork
from stable_tiles.networks.tanh import signed
from stable_tiles.settings import Settings


class Munit(Rival):
    """Content and style encoders, decoders, and discriminators at three scales."""

    def __init__(
        self,
        settings: Settings,
        channels_a: int,
        channels_b: int,
        device: torch.device,
        share: Share = alone,
    ) -> None:
        self.weights = section = settings.munit
        referred = section.translation_style == "reference"
        self.munit = MunitNetwork(channels_a, channels_b, section.network, referred=referred)
        if section.translation_style == "zero":
            self.munit.style_a.zero_()
            self.munit.style_b.zero_()
        shape = section.discriminator_width, section.discriminator_layers
        trained = {
            "generator": self.munit,
            "discriminator_a": ScaledCritic(channels_a, *shape, section.discriminator_scales),
            "discriminator_b": ScaledCritic(channels_b, *shape, section.discriminator_scales),
        }
        super().__init__(settings, trained, device, share)

    def rate(self, name: str, step: int) -> float:
        """The learning rate at a step, halved again and again."""
        every = self.weights.halve_every
        return super().rate(name, step) * 0.5 ** (0 if every is None else step // every)

    def differentiate(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """Add the gradients of some patches to all weights; see `Adversarial.differentiate`."""
        weights, styles = self.weights, self.weights.network.style
        with self.precision():
            a, b = signed(a), signed(b)
            drawn_a, drawn_b = self.drawn(len(b), styles), self.drawn(len(a), styles)
            codes = _Codes.of(self.munit, a, b)
            fake_a = self.munit.decode(codes.content_b, drawn_a, "a")
            fake_b = self.munit.decode(codes.content_a, drawn_b, "b")
            again = _Codes.of(self.munit, fake_a, fake_b)
            own_a = self.munit.decode(codes.content_a, codes.style_a, "a")
            own_b = self.munit.decode(codes.content_b, codes.style_b, "b")
            back_a = self.munit.decode(again.content_b, codes.style_a, "a")
            back_b = self.munit.decode(again.content_a, codes.style_b, "b")
            on_a = self.trained["discriminator_a"](fake_a)
            on_b = self.trained["discriminator_b"](fake_b)
            judged_a = self.judged("discriminator_a", a, fake_a)
            judged_b = self.judged("discriminator_b", b, fake_b)
        losses = {
            "adversarial": least_squares(on_a, 1.0) + least_squares(on_b, 1.0),
            "image": distance(own_a, a) + distance(own_b, b),
            "style": distance(again.style_a, drawn_a) + distance(again.style_b, drawn_b),
            "content": distance(again.content_b, codes.content_a)
            + distance(again.content_a, codes.content_b),
            "cycle": distance(back_a, a) + distance(back_b, b),
        }
        named = weights.model_dump(include=set(losses))
        losses["total"] = torch.stack([named[name] * loss for name, loss in losses.items()]).sum()
        losses |= {"discriminator_a": judged_a, "discriminator_b": judged_b}
        return self.learn(losses, ("generator",), 1.0)


class _Codes(NamedTuple):
    """Content and style of images of either domain."""

    content_a: Tensor
    content_b: Tensor
    style_a: Tensor
    style_b: Tensor

    @classmethod
    def of(cls, network: MunitNetwork, a: Tensor, b: Tensor) -> _Codes:
        """The codes of images in -1..1."""
        return cls(
            network.content(a, "a"),
            network.content(b, "b"),
            network.style(a, "a"),
            network.style(b, "b"),
        )
