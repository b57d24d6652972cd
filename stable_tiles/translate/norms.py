"""Norms: whose statistics the instance norms of a network use, and how they are gathered.

Decided before anything is read: plain data that can be printed, compared and
sent to workers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch.nn import BatchNorm2d

from stable_tiles.errors import InputError, ModelError
from stable_tiles.model import Model
from stable_tiles.networks.statistics import InstanceNorm, instance_norms
from stable_tiles.region import Region
from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.translate.options import TranslateOptions

Policy = Literal["none", "frozen", "exact", "dense"]
"""``none``: no norm layers.  ``frozen``: statistics of the run.  ``exact``: of the whole
plane.  ``dense``: of cells of the plane, interpolated between their centres."""

CELL = 512
"""Side of the cells of ``dense``, pixels, on planes of moderate size."""

TABLE_BYTES = 64 * 2**20
"""Most memory that the cells' statistics of one plane take; larger planes get larger cells."""


@dataclass(frozen=True)
class Survey:
    """How the statistics of a plane are gathered, before its regions are made.

    Parameters
    ----------
    grid : TileGrid
        Tiles that cover the whole plane; what they write counts.
    layers : tuple of str
        Names of the norm layers, in no particular order.
    at_once : bool
        Whether one pass over the tiles gathers all layers, each tile going on
        with its own statistics; else every layer takes a pass of its own, with
        those of the whole plane for the layers before it.
    """

    grid: TileGrid
    layers: tuple[str, ...]
    at_once: bool

    @property
    def passes(self) -> int:
        """Passes over the tiles of a plane."""
        return 1 if self.at_once else len(self.layers)

    def is_by_cell(self) -> bool:
        """Whether each tile keeps statistics of its own (``dense`` on more than one cell)."""
        return self.at_once and len(self.grid.rows) * len(self.grid.columns) > 1

    def tiles(self) -> list[Region]:
        """What the tiles write (y, x), row by row: the whole plane."""
        whole = Region((0, 0), (self.grid.rows[-1].stop, self.grid.columns[-1].stop))
        return [tile.core for tile in self.grid.tiles(whole)]

    def centres(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Centres of the cells along y and x, pixels; one each where the plane is one cell."""
        if not self.is_by_cell():
            return (0.0,), (0.0,)
        rows, columns = (
            tuple((cell.start + cell.stop) / 2 for cell in cells)
            for cells in (self.grid.rows, self.grid.columns)
        )
        return rows, columns


def choose_policy(model: Model, options: TranslateOptions) -> Policy:
    """Whose statistics the network's norms use.

    ``auto`` is ``frozen`` when the run holds statistics, else ``exact``.
    Batch norms are always frozen.

    Raises
    ------
    ModelError
        If ``frozen`` is asked for and the run holds no statistics.
    InputError
        If the network is to be compiled with statistics that change.
    """
    if not instance_norms(model.network):
        batch = any(isinstance(layer, BatchNorm2d) for layer in model.network.modules())
        return "frozen" if batch else "none"
    held = model.network.holds_statistics
    wanted = options.norm
    policy: Policy = ("frozen" if held else "exact") if wanted == "auto" else wanted
    if policy == "frozen" and not held:
        raise ModelError(
            "--norm frozen: the run holds no statistics of its instance norms: use --norm exact, "
            "or dense, which is faster and approximate"
        )
    if policy != "frozen" and options.compile:
        raise InputError(f"--compile does not go with --norm {policy}: drop one of them")
    return policy


def plan_survey(
    model: Model, options: TranslateOptions, policy: Policy, plane: tuple[int, int], tiling: Tiling
) -> Survey | None:
    """How statistics are gathered; None where none are.

    Parameters
    ----------
    model, options, policy
        What is translated, and whose statistics are used.
    plane : tuple of int
        Height and width of the source's planes, pixels.
    tiling : Tiling
        Tiles whose halo makes them equal the whole plane.
    """
    if policy in {"none", "frozen"}:
        return None
    layers = used_layers(model, options)
    if policy == "dense":
        side = _cell_side(model, layers, plane, tiling.stride)
        tile = side + 2 * (tiling.halo + tiling.stride - 1)
        tiling = replace(tiling, tile=tile, height=None)
    y, x = (Window(length, 0, length, length) for length in plane)
    grid = TileGrid.cover(tiling, y, x)
    single = len(grid.rows) * len(grid.columns) == 1
    return Survey(grid, layers, at_once=single or policy == "dense")


def used_layers(model: Model, options: TranslateOptions) -> tuple[str, ...]:
    """Names of the instance norms that a translation passes, with ``--confidence`` all."""
    parts = model.network.parts(options.direction)
    return tuple(
        name
        for name in instance_norms(model.network)
        if options.confidence or name.partition(".")[0] in parts
    )


def _cell_side(model: Model, layers: tuple[str, ...], plane: tuple[int, int], stride: int) -> int:
    norms = instance_norms(model.network)
    each = 8 * sum(_channels(norms[name]) for name in layers)
    side = max(CELL, stride)
    while each * -(-plane[0] // side) * -(-plane[1] // side) > TABLE_BYTES:
        side *= 2
    return side


def _channels(layer: InstanceNorm) -> int:
    return layer.num_features
