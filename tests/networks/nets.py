"""Networks whose every part matters: displacements that move, statistics that differ."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from stable_tiles.networks.layers import DeformableConv2d, DySample
from stable_tiles.networks.translator import Translator
from stable_tiles.settings import NetworkSettings

SMALL: dict[str, Any] = {"widths": (8, 16, 32), "features": 8, "norm": "none"}


def lively(channels: tuple[int, int] = (1, 1), spread: float = 0.1, **changes: Any) -> Translator:
    """A network in evaluation mode with learned displacements and batch statistics."""
    torch.manual_seed(0)
    network = Translator(*channels, NetworkSettings(**{**SMALL, **changes}))
    for module in network.modules():
        if isinstance(module, DySample | DeformableConv2d):
            nn.init.normal_(module.offset.weight, std=spread)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    a, b = images(4, channels[0], 32, 32), images(4, channels[1], 32, 32)
    with torch.no_grad():
        for _ in range(20):
            network.translate(network.translate(a, "a2b"), "b2a")
            network.translate(network.translate(b, "b2a"), "a2b")
    network.bound_offsets([(a, b)])
    return network.eval()


def images(n: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Random images (n, c, h, w) in 0..1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, height, width, generator=generator)
