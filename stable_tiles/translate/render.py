"""Render: planes of one region, tile by tile, cropped or blended; no files, no processes.

Passes may run side by side, but what they make is put together in the grid's
order and every pixel is made by the grid's tiles alone: the result depends
neither on who runs them nor on how the plane is cut into regions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stable_tiles.region import Region
from stable_tiles.tiling.grid import Tile, TileGrid
from stable_tiles.translate.memory import empty
from stable_tiles.translate.pixels import Intensity

Network = Callable[[Tensor, Region], Tensor]
"""From planes (n, c, y, x) in network units, or as many pieces of movies (n, t, c, y, x), and the
(y, x) box of the source plane that they are, to output channels and then error channels."""


@dataclass(frozen=True)
class Sheet:
    """Planes read from the source, and where they lie in it.

    Parameters
    ----------
    planes : array, (n, c, y, x)
        Pixels of the source's dtype.
    area : Region
        The (y, x) box of the source plane that they are.
    windows : array of int, (m, frames), optional
        Which planes, one behind the other, are seen for each of `m` planes of the result;
        each for its own by default.
    """

    planes: npt.NDArray[Any]
    area: Region
    windows: npt.NDArray[np.intp] | None = None

    @property
    def count(self) -> int:
        """Planes of the result."""
        return len(self.planes if self.windows is None else self.windows)

    def seen(self, some: slice, read: Region) -> npt.NDArray[Any]:
        """What a tile reads for some planes of the result: (n, c, y, x), or (n, t, c, y, x)."""
        chosen = some if self.windows is None else self.windows[some]
        pixels: npt.NDArray[Any] = self.planes[_planes_at(read, self.area)][chosen]
        return pixels


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

    @classmethod
    def joined(cls, parts: Sequence[Canvas]) -> Canvas:
        """The planes of all parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.pixels for part in parts]),
            np.concatenate([part.errors for part in parts]),
            sum(part.clipped for part in parts),
        )


@dataclass(frozen=True)
class Pass:
    """One forward pass: some planes of a sheet through one tile."""

    planes: slice
    tile: Tile
    shared: Region
    """The pixels (y, x) of the target that the tile writes."""


Run = Callable[[Callable[[Pass], Any], Iterable[Pass]], Iterable[Any]]
"""Calls a function with each pass and gives the results in the order of the passes, as `map`."""


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
    batch : int
        Planes in one forward pass.
    device : torch.device or "cpu"
        Where pixels become network units.
    run : Run
        Who does the passes; one after the other by default.
    when_full : function
        Called when a pass is cut in two because the device's memory is full.
    """

    grid: TileGrid
    intensity: Intensity
    channels: int
    errors: int = 0
    batch: int = 1
    device: torch.device | Literal["cpu"] = "cpu"
    run: Run = map
    when_full: Callable[[], None] = lambda: None

    def render(self, sheet: Sheet, target: Region, network: Network) -> Canvas:
        """The `target` (y, x) of the plane, from a sheet that holds what its tiles read."""
        if self.grid.tiling.blend == "crop":
            return self._crop(sheet, target, network)
        return self._blend(sheet, target, network)

    def _crop(self, sheet: Sheet, target: Region, network: Network) -> Canvas:
        canvas = self._empty(sheet, target)

        def made(step: Pass) -> int:
            here = (step.planes, *_planes_at(step.shared, target))
            return self._leave(self._units(sheet, step, network), canvas, here)

        return replace(canvas, clipped=sum(self.run(made, self._passes(sheet, target))))

    def _blend(self, sheet: Sheet, target: Region, network: Network) -> Canvas:
        canvas = self._empty(sheet, target)

        def weighted(step: Pass) -> Tensor:
            units = self._units(sheet, step, network)
            part = step.shared.relative_to(step.tile.core.start)
            weights = self.grid.weights(step.tile)[part.slices]
            return units * torch.from_numpy(weights).to(units.device)

        passes, clipped = self._passes(sheet, target), 0
        done = zip(passes, self.run(weighted, passes), strict=True)
        for planes, group in groupby(done, key=lambda pair: int(pair[0].planes.start)):
            total: Tensor | None = None
            for step, units in group:
                if total is None:
                    total = units.new_zeros((*units.shape[:2], *target.shape))
                total[_planes_at(step.shared, target)] += units
            assert total is not None  # a group has at least one pass
            clipped += self._leave(total, canvas, (slice(planes, planes + len(total)),))
        return replace(canvas, clipped=clipped)

    def _passes(self, sheet: Sheet, target: Region) -> list[Pass]:
        """All forward passes, the tiles of the first planes first."""
        tiles = []
        for tile in self.grid.tiles(target):
            shared = tile.core.intersect(target)
            if shared is None:
                raise ValueError(f"{tile} does not write {target}")
            tiles.append((tile, shared))
        return [
            Pass(slice(first, first + self.batch), tile, shared)
            for first in range(0, sheet.count, self.batch)
            for tile, shared in tiles
        ]

    def _units(self, sheet: Sheet, step: Pass, network: Network) -> Tensor:
        """What the network makes of a tile where it writes the target.

        Where the device's memory is full: of half the planes and then the
        other, or of half the tile, which makes the same pixels.
        """
        read = step.tile.read
        seen = sheet.seen(step.planes, read)
        try:
            units = network(self.intensity.enter(seen, self.device), read)
            return units[_planes_at(step.shared, read)]
        except torch.cuda.OutOfMemoryError:
            halves, axis = self._halves(step, len(seen))
            if not halves:
                raise
        # Only now, without the exception, is what the pass held free again.
        torch.cuda.empty_cache()
        self.when_full()
        return torch.cat([self._units(sheet, half, network) for half in halves], axis)

    def _halves(self, step: Pass, planes: int) -> tuple[list[Pass], int]:
        """Passes that together make what one makes, and the axis (n, c, y, x) that parts them."""
        first = step.planes.start
        if planes > 1:
            cuts = (first, first + planes // 2, first + planes)
            return [replace(step, planes=slice(a, b)) for a, b in pairwise(cuts)], 0
        tiles = self.grid.halved(step.tile)
        if tiles is None:
            return [], 0
        axis = 2 if tiles[0].core.shape[1] == step.tile.core.shape[1] else 3
        shared = [(tile, tile.core.intersect(step.shared)) for tile in tiles]
        return [Pass(step.planes, tile, part) for tile, part in shared if part], axis

    def _leave(self, units: Tensor, canvas: Canvas, here: tuple[Any, ...]) -> int:
        """Put output and errors where they belong; returns how many values were clipped."""
        _, clipped = self.intensity.leave(units[:, : self.channels], canvas.pixels[here])
        if self.errors:
            canvas.errors[here] = units[:, self.channels :].cpu().numpy()
        return clipped

    def _empty(self, sheet: Sheet, target: Region) -> Canvas:
        shape = (sheet.count, *target.shape)
        # Channels last for the maps between two passes, as networks make and take them.
        if self.intensity.dtype == "float32" and self.channels > 1:
            pixels = empty((*shape, self.channels), np.float32).transpose(0, 3, 1, 2)
        else:
            pixels = empty((shape[0], self.channels, *shape[1:]), self.intensity.dtype)
        errors = empty((shape[0], self.errors, *shape[1:]), np.float32)
        return Canvas(pixels, errors, 0)


def _planes_at(part: Region, whole: Region) -> tuple[Any, ...]:
    """The index of a part (y, x) in planes (n, c, y, x) that hold the whole."""
    return (..., *part.relative_to(whole.start).slices)
