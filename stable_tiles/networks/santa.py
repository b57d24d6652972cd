"""SANTA's networks: one encoder, and one decoder that goes from domain A to B in small steps.

Xie et al., Unpaired image-to-image translation with shortest path
regularization, CVPR 2023.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.networks.chain import Chain, Conv, Residual, initialize, shrinking
from stable_tiles.networks.layers import Bilinear
from stable_tiles.networks.network import Direction
from stable_tiles.networks.reach import Span, reach
from stable_tiles.networks.styled import AdaptiveNorm, StyledResidual, affines
from stable_tiles.networks.tanh import OneWay
from stable_tiles.rivals import SantaNetworkSettings


class SantaNetwork(OneWay):
    """An encoder, and a decoder to which place 0 is domain A and place 1 domain B."""

    def __init__(self, channels_a: int, channels_b: int, settings: SantaNetworkSettings) -> None:
        super().__init__(channels_a, channels_b, settings)
        w = settings.width
        self.encoder = Chain(
            *shrinking(self.inner, w), *(Residual(4 * w) for _ in range(settings.encoder_blocks))
        )
        self.decoder = Decoder(self.inner, settings)
        initialize(self, "xavier")
        nn.init.kaiming_normal_(self.decoder.numbers.weight)

    def parts(self, direction: Direction) -> tuple[str, ...]:
        """Encoder and decoder."""
        return "encoder", "decoder"

    def generate(self, x: Tensor, direction: Direction) -> Tensor:
        """Images of A in -1..1 as images of B; see `TanhNetwork.generate`."""
        return self.narrowed(self.decode(self.encode(x), x.new_ones(len(x)))[-1], "b")

    def encode(self, x: Tensor) -> Tensor:
        """The latent map (n, 4 width, h / 4, w / 4) of images in -1..1."""
        latent: Tensor = self.encoder(self.spread(x))
        return latent

    def decode(self, latent: Tensor, place: Tensor) -> list[Tensor]:
        """Images (n, c, h, w) in -1..1 at places (n,), behind the maps whose change is measured."""
        made: list[Tensor] = self.decoder(latent, place)
        return made

    def local_reach(self, direction: Direction) -> int:
        """Pixels beyond an output pixel that it depends on once all statistics are given."""
        return reach(lambda span: self.encoder.needs(self.decoder.needs(span)), self.stride)


class Decoder(nn.Module):
    """An image of a latent map at any place between the domains."""

    def __init__(self, channels: int, settings: SantaNetworkSettings) -> None:
        super().__init__()
        w, blocks = settings.width, settings.decoder_blocks
        self.ends = nn.Parameter(torch.randn(2, settings.embedding))
        self.blocks = nn.ModuleList(StyledResidual(4 * w) for _ in range(blocks))
        self.enlarge = Bilinear()
        self.narrow = nn.ModuleList([Conv(4 * w, 2 * w), Conv(2 * w, w)])
        self.norms = nn.ModuleList([AdaptiveNorm(2 * w), AdaptiveNorm(w)])
        self.last = Conv(w, channels, 7)
        self.widths = [4 * w] * (2 * blocks) + [2 * w, w]
        self.numbers = nn.Linear(settings.embedding, 2 * sum(self.widths))
        self.measured = {0, min(3, blocks - 1)}

    def forward(self, latent: Tensor, place: Tensor) -> list[Tensor]:
        """Map latents (n, 4 width, h / 4, w / 4) and places (n,), 0..1, to maps and images.

        Returns
        -------
        list of Tensor
            In training the first and the fourth residual block's map and
            those of both convolutions behind enlarging; always the last
            convolution's, and the image.
        """
        first, last = self.ends
        embedded = first + place[:, None] * (last - first)
        given = [
            (1 + scale, shift) for scale, shift in affines(self.numbers(embedded), self.widths)
        ]
        x, maps = latent, []
        for number, block in enumerate(self.blocks):
            x = block(x, given[2 * number], given[2 * number + 1])
            if self.training and number in self.measured:
                maps.append(x)
        for narrow, norm_of, affine in zip(self.narrow, self.norms, given[-2:], strict=True):
            x = narrow(self.enlarge(x))
            if self.training:
                maps.append(x)
            x = functional.relu_(norm_of(x, affine))
        x = self.last(x)
        return [*maps, x, torch.tanh(x)]

    def needs(self, span: Span) -> Span:
        """Pixels of the latent map that output pixels depend on."""
        span = self.last.needs(span)
        for narrow in reversed(list(self.narrow)):
            span = self.enlarge.needs(cast(Conv, narrow).needs(span))
        for block in self.blocks:
            span = cast(StyledResidual, block).needs(span)
        return span
