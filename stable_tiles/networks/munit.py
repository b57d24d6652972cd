"""MUNIT's networks: the content of an image, its style, and an image of both.

Huang et al., Multimodal unsupervised image-to-image translation, ECCV 2018;
written from the paper's formulas.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from stable_tiles.networks.chain import Chain, Conv, Nearest, Residual, initialize, norm
from stable_tiles.networks.network import Direction, DomainName, domains
from stable_tiles.networks.reach import Span, reach
from stable_tiles.networks.statistics import LayerNorm
from stable_tiles.networks.styled import StyledResidual, affines
from stable_tiles.networks.tanh import TanhNetwork, signed
from stable_tiles.rivals import MunitNetworkSettings


class MunitNetwork(TanhNetwork):
    """Encoders and decoders of both domains, and the one style that translations have.

    Parameters
    ----------
    channels_a, channels_b : int
        Channels of the images of either domain.
    settings : MunitNetworkSettings
    referred : bool
        Whether `settle` makes the styles of translations the mean of its
        images' own; else they stay as they were drawn.
    """

    style_a: Tensor
    style_b: Tensor

    def __init__(
        self,
        channels_a: int,
        channels_b: int,
        settings: MunitNetworkSettings,
        *,
        referred: bool = False,
    ) -> None:
        super().__init__(channels_a, channels_b, settings)
        self.referred = referred
        self.content_a = _content(channels_a, settings)
        self.content_b = _content(channels_b, settings)
        self.look_a, self.look_b = Look(channels_a, settings), Look(channels_b, settings)
        self.decoder_a = Decoder(channels_a, settings)
        self.decoder_b = Decoder(channels_b, settings)
        initialize(self, "kaiming")
        self.register_buffer("style_a", torch.randn(1, settings.style))
        self.register_buffer("style_b", torch.randn(1, settings.style))

    def parts(self, direction: Direction) -> tuple[str, ...]:
        """The content encoder of the source and the decoder of the target."""
        source, target = domains(direction)
        return f"content_{source}", f"decoder_{target}"

    def generate(self, x: Tensor, direction: Direction) -> Tensor:
        """Images in -1..1 as images of the other domain, all of the one style."""
        source, target = domains(direction)
        style = self.style_a if target == "a" else self.style_b
        return self.decode(self.content(x, source), style.expand(len(x), -1), target)

    def content(self, x: Tensor, domain: DomainName) -> Tensor:
        """The content (n, 4 width, h / 4, w / 4) of images in -1..1."""
        made: Tensor = self.get_submodule(f"content_{domain}")(x)
        return made

    def style(self, x: Tensor, domain: DomainName) -> Tensor:
        """The styles (n, style) of images in -1..1."""
        made: Tensor = self.get_submodule(f"look_{domain}")(x)
        return made

    def decode(self, content: Tensor, style: Tensor, domain: DomainName) -> Tensor:
        """Images in -1..1 of a content and of styles (n, style)."""
        made: Tensor = self.get_submodule(f"decoder_{domain}")(content, style)
        return made

    def local_reach(self, direction: Direction) -> int:
        """Pixels beyond an output pixel that it depends on once all statistics are given."""
        source, target = domains(direction)
        encoder = cast(Chain, self.get_submodule(f"content_{source}"))
        decoder = cast(Decoder, self.get_submodule(f"decoder_{target}"))
        return reach(lambda span: encoder.needs(decoder.needs(span)), self.stride)

    @torch.no_grad()
    def settle(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Measure statistics of norms and, where asked for, the styles of translations."""
        pairs = list(batches)
        if self.referred:
            for domain, images in (("a", [a for a, _ in pairs]), ("b", [b for _, b in pairs])):
                look = self.get_submodule(f"look_{domain}")
                styles = torch.cat([look(signed(x)) for x in images])
                self.get_buffer(f"style_{domain}").copy_(styles.mean(dim=0, keepdim=True))
        super().settle(pairs)


class Look(nn.Module):
    """The style of an image: convolutions of stride 2 without norms, then the mean."""

    def __init__(self, channels: int, settings: MunitNetworkSettings) -> None:
        super().__init__()
        w = settings.width
        layers: list[nn.Module] = [Conv(channels, w, 7), nn.ReLU(inplace=True)]
        for width, below in ((w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w), (4 * w, 4 * w)):
            layers += [Conv(width, below, 4, stride=2), nn.ReLU(inplace=True)]
        self.layers = Chain(*layers)
        self.last = nn.Linear(4 * w, settings.style)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, style)."""
        style: Tensor = self.last(self.layers(x).mean(dim=(2, 3)))
        return style


class Decoder(nn.Module):
    """An image of a content, in a style."""

    def __init__(self, channels: int, settings: MunitNetworkSettings) -> None:
        super().__init__()
        w, hidden = settings.width, settings.hidden
        self.blocks = nn.ModuleList(StyledResidual(4 * w) for _ in range(settings.blocks))
        self.widths = [4 * w] * (2 * settings.blocks)
        self.numbers = nn.Sequential(
            nn.Linear(settings.style, hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, 2 * sum(self.widths)),
        )  # fmt: skip
        layers: list[nn.Module] = []
        for width in (2 * w, w):
            enlarge = [Nearest(), Conv(2 * width, width, 5)]
            layers += [*enlarge, LayerNorm(width, tracks=False), nn.ReLU(inplace=True)]
        self.image = Chain(*layers, Conv(w, channels, 7), nn.Tanh())

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Map contents (n, 4 width, h / 4, w / 4) and styles (n, style) to (n, c, h, w)."""
        given = affines(self.numbers(style), self.widths)
        for number, block in enumerate(self.blocks):
            content = block(content, given[2 * number], given[2 * number + 1])
        image: Tensor = self.image(content)
        return image

    def needs(self, span: Span) -> Span:
        """Pixels of the content that output pixels depend on."""
        span = self.image.needs(span)
        for block in self.blocks:
            span = cast(StyledResidual, block).needs(span)
        return span


def _content(channels: int, settings: MunitNetworkSettings) -> Chain:
    w = settings.width
    layers: list[nn.Module] = [Conv(channels, w, 7), norm(w), nn.ReLU(inplace=True)]
    for width in (w, 2 * w):
        halve = Conv(width, 2 * width, 4, stride=2)
        layers += [halve, norm(2 * width), nn.ReLU(inplace=True)]
    return Chain(*layers, *(Residual(4 * w) for _ in range(settings.blocks)))
