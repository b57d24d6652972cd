"""The rivals' networks, as small as they can be, with statistics that differ."""

from __future__ import annotations

import torch

from stable_tiles.networks.build import build
from stable_tiles.networks.tanh import TanhNetwork
from stable_tiles.rivals import (
    CutNetworkSettings,
    DeepUnetSettings,
    MunitNetworkSettings,
    ResnetSettings,
    SantaNetworkSettings,
)
from stable_tiles.sections import Architecture
from tests.networks.nets import images

SMALL: dict[str, Architecture] = {
    "cyclegan": ResnetSettings(width=4, blocks=1),
    "utom": DeepUnetSettings(width=4, downsamplings=3),
    "munit": MunitNetworkSettings(width=4, blocks=1, hidden=8),
    "santa": SantaNetworkSettings(width=4, encoder_blocks=1, decoder_blocks=1),
    "cut": CutNetworkSettings(width=4, blocks=1),
}
FULL: dict[str, Architecture] = {
    "cyclegan": ResnetSettings(),
    "utom": DeepUnetSettings(),
    "munit": MunitNetworkSettings(),
    "santa": SantaNetworkSettings(),
    "cut": CutNetworkSettings(),
}


def small(name: str, channels: tuple[int, int] = (1, 1)) -> TanhNetwork:
    """A settled network in evaluation mode whose weights are larger than fresh ones."""
    torch.manual_seed(0)
    network = build(SMALL[name], *channels)
    assert isinstance(network, TanhNetwork)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    network.settle([(images(2, channels[0], 32, 32), images(2, channels[1], 32, 32))])
    return network.eval()
