"""Critics: the discriminators of the rivals, a verdict for every patch of an image."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.networks.chain import BlurPool, Conv, initialize


class PatchCritic(nn.Module):
    """The PatchGAN of Isola et al. (2017): each verdict sees 70 x 70 px with three layers.

    4 x 4 convolutions of stride 2 to `width`, twice, four times ... channels,
    two of stride 1; instance norm but on the first and the last, LeakyReLU 0.2.

    Parameters
    ----------
    channels, width, layers : int
        Channels of the image, of the first map, and halvings.
    filtered : bool
        Whether halving is a convolution of stride 1 and a low-pass filter, as in CUT.
    """

    def __init__(self, channels: int, width: int, layers: int, *, filtered: bool = False) -> None:
        super().__init__()
        stride = 1 if filtered else 2
        halve: list[nn.Module] = [BlurPool()] if filtered else []
        made: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride, 1), _leaky(), *halve]
        inner = width
        for layer in range(1, layers + 1):
            wide, last = width * min(2**layer, 8), layer == layers
            convolution = nn.Conv2d(inner, wide, 4, 1 if last else stride, 1)
            made += [convolution, nn.InstanceNorm2d(wide), _leaky()]
            made += [] if last else halve
            inner = wide
        self.layers = nn.Sequential(*made, nn.Conv2d(inner, 1, 4, 1, 1))
        initialize(self, "xavier" if filtered else "normal")

    def forward(self, x: Tensor) -> list[Tensor]:
        """Verdicts (n, 1, h', w') on images (n, channels, h, w), in a list."""
        return [self.layers(x)]


class ScaledCritic(nn.Module):
    """MUNIT's: the same small network on the image, halved once, twice ...; no norms."""

    def __init__(self, channels: int, width: int, layers: int, scales: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList()
        for _ in range(scales):
            made: list[nn.Module] = []
            inner = channels
            for layer in range(layers):
                made += [Conv(inner, width * 2**layer, 4, stride=2), _leaky()]
                inner = width * 2**layer
            self.scales.append(nn.Sequential(*made, nn.Conv2d(inner, 1, 1)))
        initialize(self, "normal")

    def forward(self, x: Tensor) -> list[Tensor]:
        """Verdicts (n, 1, h', w') on images (n, channels, h, w), one map a scale."""
        verdicts = []
        for number, scale in enumerate(self.scales):
            if number:
                x = functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            verdicts.append(scale(x))
        return verdicts


def _leaky() -> nn.LeakyReLU:
    return nn.LeakyReLU(0.2, inplace=True)
