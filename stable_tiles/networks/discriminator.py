"""The LSGAN discriminator: a verdict for every patch of an image, at one or more scales."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.networks.convolution import channels_last
from stable_tiles.networks.layers import normalization
from stable_tiles.settings import DiscriminatorSettings


class PatchDiscriminator(nn.Module):
    """For each width: 4 x 4 convolution of stride 2, norm but on the first, LeakyReLU 0.2.

    A 3 x 3 convolution to one channel ends it.  With three widths each verdict
    sees 38 x 38 px, and verdicts stand 8 px apart.  A further scale has its own weights
    and sees the image halved by averaging 2 x 2 pixels.

    Parameters
    ----------
    channels : int
        Channels of the image.
    settings : DiscriminatorSettings
        Widths, scales and norm.
    """

    def __init__(self, channels: int, settings: DiscriminatorSettings) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_single(channels, settings) for _ in range(settings.scales))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Verdicts (n, 1, h', w') on images (n, channels, h, w), one map a scale."""
        x = channels_last(x)
        verdicts = [self.scales[0](x)]
        for scale in self.scales[1:]:
            x = functional.avg_pool2d(x, 2)
            verdicts.append(scale(x))
        return verdicts


def _single(channels: int, settings: DiscriminatorSettings) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number, width in enumerate(settings.widths):
        layers.append(nn.Conv2d(channels, width, 4, stride=2, padding=1))
        if number > 0 and settings.norm != "none":
            layers.append(normalization(settings.norm, width))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
        channels = width
    layers.append(nn.Conv2d(channels, 1, 3, padding=1))
    return nn.Sequential(*layers)
