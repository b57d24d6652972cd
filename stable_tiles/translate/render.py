"""Render: planes of one region, tile by tile, cropped or blended; no files, no processes.

Tiles come in the grid's order and every pixel is made by the grid's tiles
alone, so the result does not depend on how the plane is cut into regions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stable_tiles.region import Region
from stable_tiles.tiling.grid import Tile, TileGrid
from stable_tiles.translate.pixels import Intensity

Network = Callable[[Tensor, Region], Tensor]
"""From planes (n, c, y, x) in network units, and the (y, x) box of the source plane that
they are, to output channels and then error channels."""


@dataclass(frozen=True)
class Sheet:
    """Planes read from the source, and where they lie in it.

    Parameters
    ----------
    planes : array, (n, c, y, x)
        Pixels of the source's dtype.
    area : Region
        The (y, x) box of the source plane that they are.
    """

    planes: npt.NDArray[Any]
    area: Region


@dataclass(frozen=True)
class Canvas:
    """Rendered planes.

    Parameters
    ----------
    pixels : array, (n, c, y, x)
        In the output's dtype.
    errors : array of float32, (n, e, y, x)
        In network units; `e` may be 0.
    clipped : int
        Values outside the range of the output's dtype.
    """

    pixels: npt.NDArray[Any]
    errors: npt.NDArray[np.float32]
    clipped: int


@dataclass(frozen=True)
class Renderer:
    """Makes regions of planes.

    Parameters
    ----------
    grid : TileGrid
        The tiles of the whole plane.
    intensity : Intensity
        How pixels enter and leave the network.
    channels, errors : int
        Channels of the output, and channels of errors that follow them.
    """

    grid: TileGrid
    intensity: Intensity
    channels: int
    errors: int = 0

    def render(self, sheet: Sheet, target: Region, network: Network) -> Canvas:
        """The `target` (y, x) of the plane, from a sheet that holds what its tiles read."""
        if self.grid.tiling.blend == "crop":
            return self._crop(sheet, target, network)
        return self._blend(sheet, target, network)

    def _crop(self, sheet: Sheet, target: Region, network: Network) -> Canvas:
        pixels = np.empty((len(sheet.planes), self.channels, *target.shape), self.intensity.dtype)
        errors = np.empty((len(sheet.planes), self.errors, *target.shape), np.float32)
        clipped = 0
        for tile in self.grid.tiles(target):
            units, shared = self._tile(sheet, tile, target, network)
            here = _planes_at(shared, target)
            pixels[here], lost = self.intensity.leave(units[:, : self.channels])
            errors[here] = units[:, self.channels :].cpu().numpy()
            clipped += lost
        return Canvas(pixels, errors, clipped)

    def _blend(self, sheet: Sheet, target: Region, network: Network) -> Canvas:
        total: Tensor | None = None
        for tile in self.grid.tiles(target):
            units, shared = self._tile(sheet, tile, target, network)
            if total is None:
                total = units.new_zeros((*units.shape[:2], *target.shape))
            weights = self.grid.weights(tile)[shared.relative_to(tile.core.start).slices]
            here = _planes_at(shared, target)
            total[here] += units * torch.from_numpy(weights).to(units.device)
        if total is None:
            raise ValueError(f"no tile reaches {target}")
        pixels, clipped = self.intensity.leave(total[:, : self.channels])
        return Canvas(pixels, total[:, self.channels :].cpu().numpy(), clipped)

    def _tile(
        self, sheet: Sheet, tile: Tile, target: Region, network: Network
    ) -> tuple[Tensor, Region]:
        """What the network makes of a tile where it writes the target, and where that is."""
        seen = sheet.planes[_planes_at(tile.read, sheet.area)]
        units = network(self.intensity.enter(seen), tile.read)
        shared = tile.core.intersect(target)
        if shared is None:
            raise ValueError(f"{tile} does not write {target}")
        return units[_planes_at(shared, tile.read)], shared


def _planes_at(part: Region, whole: Region) -> tuple[Any, ...]:
    """The index of a part (y, x) in planes (n, c, y, x) that hold the whole."""
    return (..., *part.relative_to(whole.start).slices)
