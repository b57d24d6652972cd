"""CycleGAN's networks: a residual generator for either direction.

Johnson et al., Perceptual losses for real-time style transfer, ECCV 2016, as
in Zhu et al., ICCV 2017.
"""

from __future__ import annotations

from torch import nn

from stable_tiles.networks.chain import Chain, Conv, Residual, TransposedConv, initialize, norm
from stable_tiles.networks.tanh import TwoGenerators
from stable_tiles.rivals import ResnetSettings


class ResnetNetwork(TwoGenerators):
    """Two residual generators."""

    def __init__(self, channels_a: int, channels_b: int, settings: ResnetSettings) -> None:
        super().__init__(channels_a, channels_b, settings)
        self.generator_a2b = _generator(channels_a, channels_b, settings)
        self.generator_b2a = _generator(channels_b, channels_a, settings)
        initialize(self, "normal")


def _generator(channels_in: int, channels_out: int, settings: ResnetSettings) -> Chain:
    w = settings.width
    layers: list[nn.Module] = [Conv(channels_in, w, 7), norm(w), nn.ReLU(inplace=True)]
    for width in (w, 2 * w):
        halve = Conv(width, 2 * width, stride=2, edge="zeros")
        layers += [halve, norm(2 * width), nn.ReLU(inplace=True)]
    layers += [Residual(4 * w) for _ in range(settings.blocks)]
    for width in (2 * w, w):
        layers += [TransposedConv(2 * width, width, 3), norm(width), nn.ReLU(inplace=True)]
    return Chain(*layers, Conv(w, channels_out, 7), nn.Tanh())
