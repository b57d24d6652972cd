"""Rivals: settings of the methods that STABLE is compared with, defaults as published.

Each method has a section of its own name, and each network a description that
a model's document holds too.  Sources are named in ``docs/methods.md``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stable_tiles.sections import Architecture, Beta, Section, Weight

Width = Annotated[int, Field(ge=1, le=4096)]
Blocks = Annotated[int, Field(ge=1, le=64)]


class _Quarter(Architecture):
    """Networks that work at a quarter of the resolution."""

    width: Width = Field(64, description="channels of the first map; two more double it")

    @property
    def stride(self) -> int:
        """Two steps down."""
        return 4


class _Filtered(_Quarter):
    """Networks that halve the resolution behind a low-pass filter."""

    @property
    def live_values(self) -> int:
        """Maps at full resolution with twice the first's channels, and their copies."""
        return 9 * self.width + 8

    @property
    def widest(self) -> int:
        """The map before it is halved, padded."""
        return 3 * self.width


class ResnetSettings(_Quarter):
    """Two residual generators (Johnson et al. 2016), one a direction."""

    architecture: Literal["resnet"] = "resnet"
    blocks: Blocks = Field(9, description="residual blocks at a quarter of the resolution")

    @property
    def live_values(self) -> int:
        """Four maps as wide as the first, which normalising and padding make of one."""
        return 4 * self.width + 8

    @property
    def widest(self) -> int:
        """The first map and its padding."""
        return 2 * self.width


class DeepUnetSettings(Architecture):
    """Two U-Nets of strided convolutions (Isola et al. 2017), one a direction."""

    architecture: Literal["deep_unet"] = "deep_unet"
    width: Width = Field(64, description="channels of the first map; eight times so many at most")
    downsamplings: int = Field(8, ge=2, le=10, description="halvings of the resolution")

    @property
    def stride(self) -> int:
        """The image becomes one pixel for each block of so many."""
        return 1 << self.downsamplings

    @property
    def live_values(self) -> int:
        """The joined map at half the resolution, its copies, and the skips below."""
        return 3 * self.width + 8

    @property
    def widest(self) -> int:
        """At a quarter of the pixels, twice the first map."""
        return self.width


class UtomNetworkSettings(Section):
    """UTOM's `DeepUnetSettings`, before patches are known."""

    width: Width = Field(64, description="channels of the first map; eight times so many at most")
    downsamplings: int | None = Field(
        None, ge=2, le=10, description="halvings of the resolution; null = 8, or what patches allow"
    )

    def resolved(self, patch: int) -> DeepUnetSettings:
        """The architecture for patches of that side: eight halvings, or as many as go into it."""
        asked = self.downsamplings
        halvings = (patch & -patch).bit_length() - 1  # the largest power of two that divides it
        return DeepUnetSettings(
            width=self.width, downsamplings=max(2, min(8, halvings)) if asked is None else asked
        )


class MunitNetworkSettings(_Quarter):
    """Content and style encoders, and decoders whose norms a style sets."""

    architecture: Literal["munit"] = "munit"
    blocks: Blocks = Field(4, description="residual blocks of an encoder, and of a decoder")
    style: Annotated[int, Field(ge=1, le=1024)] = Field(8, description="numbers of a style")
    hidden: Width = Field(256, description="units of the layers that turn a style into norms")

    @property
    def live_values(self) -> int:
        """The enlarged map with twice the first's channels, padded, beside what comes of it."""
        return 7 * self.width + 8

    @property
    def widest(self) -> int:
        """The enlarged map and its padding."""
        return 3 * self.width


class SantaNetworkSettings(_Filtered):
    """One encoder, and one decoder that an embedding moves from domain A to B."""

    architecture: Literal["santa"] = "santa"
    encoder_blocks: Blocks = Field(4, description="residual blocks of the encoder")
    decoder_blocks: Blocks = Field(5, description="residual blocks of the decoder")
    embedding: Annotated[int, Field(ge=1, le=1024)] = Field(8, description="numbers of a domain")


class CutNetworkSettings(_Filtered):
    """One residual generator whose steps down and up are low-pass filtered."""

    architecture: Literal["cut"] = "cut"
    blocks: Blocks = Field(9, description="residual blocks at a quarter of the resolution")


class RivalSettings(Section):
    """What all rivals have: a patch discriminator and Adam."""

    discriminator_width: Width = Field(64, description="channels of its first map; doubled thrice")
    discriminator_layers: int = Field(3, ge=1, le=6, description="halvings of the resolution")
    learning_rate: float = Field(2e-4, gt=0, description="Adam, all networks")
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    weight_decay: Weight = 0.0
    decay_share: float = Field(
        0.5, ge=0, le=1, description="share of the steps, the last, over which the rate falls to 0"
    )

    @property
    def least_patch(self) -> int:
        """Side of the smallest patch that the discriminator has a verdict on, pixels."""
        return 4 << self.discriminator_layers


class CycleganSettings(RivalSettings):
    """CycleGAN."""

    network: ResnetSettings = ResnetSettings()
    adversarial: Weight = 1.0
    cycle: Weight = 10.0
    identity: Weight = Field(0.5, description="relative to the cycle; where channels allow")
    pool: int = Field(50, ge=0, description="translations kept for the discriminators")


class UtomSettings(RivalSettings):
    """UTOM."""

    network: UtomNetworkSettings = UtomNetworkSettings()
    adversarial: Weight = 1.0
    cycle: Weight = 10.0
    saliency: Weight = Field(50.0, description="at the first step")
    saliency_images: int | None = Field(
        None, ge=1, description="images seen after which its weight is 1/e; a tenth of all"
    )
    threshold_a: float = Field(70.0, ge=0, le=255, description="grey value of 0..255")
    threshold_b: float = Field(220.0, ge=0, le=255, description="grey value of 0..255")
    objects_a: Literal["bright", "dark"] = "bright"
    objects_b: Literal["bright", "dark"] = "dark"
    pool: int = Field(50, ge=0, description="translations kept for the discriminators")


class MunitSettings(RivalSettings):
    """MUNIT."""

    network: MunitNetworkSettings = MunitNetworkSettings()
    discriminator_layers: int = Field(4, ge=1, le=6, description="halvings of the resolution")
    discriminator_scales: int = Field(3, ge=1, le=4, description="each of the image halved again")
    adversarial: Weight = 1.0
    image: Weight = Field(10.0, description="reconstruction of the image from its own codes")
    style: Weight = Field(1.0, description="reconstruction of a drawn style")
    content: Weight = Field(1.0, description="reconstruction of the content")
    cycle: Weight = 10.0
    translation_style: Literal["seed", "zero", "reference"] = Field(
        "seed", description="the one style of all translations"
    )
    learning_rate: float = Field(1e-4, gt=0, description="Adam, all networks")
    weight_decay: Weight = 1e-4
    decay_share: float = Field(
        0.0, ge=0, le=1, description="share of the steps, the last, over which the rate falls to 0"
    )
    halve_every: int | None = Field(100_000, ge=1, description="steps after which the rate halves")

    @property
    def least_patch(self) -> int:
        """Side of the smallest patch that every discriminator has a verdict on, pixels."""
        return 1 << (self.discriminator_layers + self.discriminator_scales - 1)


class SantaSettings(RivalSettings):
    """SANTA."""

    network: SantaNetworkSettings = SantaNetworkSettings()
    adversarial: Weight = 1.0
    reconstruction: Weight = Field(5.0, description="of images of either domain")
    latent: Weight = Field(0.01, description="of the mean square of the latent map")
    path: Weight = Field(0.01, description="of how much the decoder changes along the path")


class CutSettings(RivalSettings):
    """CUT."""

    network: CutNetworkSettings = CutNetworkSettings()
    adversarial: Weight = 1.0
    contrast: Weight = Field(1.0, description="PatchNCE of translations")
    identity: bool = Field(True, description="PatchNCE of images of B too, half of the weight")
    patches: int = Field(256, ge=2, description="positions that are told apart, a layer")
    features: Width = Field(256, description="numbers that a position is told by")
    temperature: float = Field(0.07, gt=0)
