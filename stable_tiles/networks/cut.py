"""CUT's network: a residual generator whose own maps tell positions of an image apart.

Park et al., Contrastive learning for unpaired image-to-image translation,
ECCV 2020.
"""

from __future__ import annotations

from torch import Tensor, nn

from stable_tiles.networks.chain import Chain, Conv, Residual, initialize, norm, shrinking
from stable_tiles.networks.layers import Bilinear
from stable_tiles.networks.network import Direction
from stable_tiles.networks.reach import reach
from stable_tiles.networks.tanh import OneWay
from stable_tiles.rivals import CutNetworkSettings

_DOWN, _BLOCKS = (3, 7), 11
"""Places in the generator: both convolutions on the way down, and the first residual block."""


class CutNetwork(OneWay):
    """One generator, whose maps tell positions apart."""

    def __init__(self, channels_a: int, channels_b: int, settings: CutNetworkSettings) -> None:
        super().__init__(channels_a, channels_b, settings)
        w = settings.width
        layers = shrinking(self.inner, w) + [Residual(4 * w) for _ in range(settings.blocks)]
        for width in (2 * w, w):
            enlarge = [Bilinear(), Conv(2 * width, width)]
            layers += [*enlarge, norm(width), nn.ReLU(inplace=True)]
        self.generator = Chain(*layers, Conv(w, self.inner, 7), nn.Tanh())
        blocks = {_BLOCKS, _BLOCKS + min(4, settings.blocks - 1)}
        self.told = {*_DOWN, *blocks}
        self.told_widths = (self.inner, 2 * w, 4 * w, *(4 * w for _ in blocks))
        initialize(self, "xavier")

    def parts(self, direction: Direction) -> tuple[str, ...]:
        """The generator."""
        return ("generator",)

    def generate(self, x: Tensor, direction: Direction) -> Tensor:
        """Images of A in -1..1 as images of B; see `TanhNetwork.generate`."""
        return self.narrowed(self.generator(self.spread(x)), "b")

    def maps(self, x: Tensor) -> list[Tensor]:
        """Maps (n, `told_widths`, h', w') of images in -1..1, five with more than one block.

        The image, both convolutions on the way down, the first and the fifth
        residual block.
        """
        x = self.spread(x)
        found = [x]
        for number, layer in enumerate(self.generator):
            if number > max(self.told):
                break
            x = layer(x)
            if number in self.told:
                found.append(x)
        return found

    def local_reach(self, direction: Direction) -> int:
        """Pixels beyond an output pixel that it depends on once all statistics are given."""
        return reach(self.generator.needs, self.stride)
