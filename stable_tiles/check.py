"""Verb: what tiling a model costs, measured: reach, halo, seams, risk of its norms."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import BatchNorm2d

from stable_tiles.errors import InputError
from stable_tiles.image.store import open_image
from stable_tiles.intensity import Normalizer
from stable_tiles.model import Model, load_model
from stable_tiles.networks.statistics import instance_norms
from stable_tiles.progress import Progress, silent
from stable_tiles.region import Region
from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.frames import Frames
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.translate.cut import Sizes, choose_tilings
from stable_tiles.translate.find import find_run
from stable_tiles.translate.fit import fit_intensity
from stable_tiles.translate.forward import TileNetwork
from stable_tiles.translate.hardware import find_resources
from stable_tiles.translate.job import Forward
from stable_tiles.translate.norms import Policy, choose_policy, plan_survey
from stable_tiles.translate.options import Device, Direction, Hardware, TranslateOptions
from stable_tiles.translate.pixels import Intensity
from stable_tiles.translate.render import Renderer, Sheet
from stable_tiles.translate.statistics import sample_statistics

CORE = 96
"""What a tile of the sample writes along an axis, pixels, or the next multiple of the stride."""

TILES = 3
"""Tiles of the sample along an axis."""

_RISKS: dict[Policy, str] = {
    "none": "none: tiles equal the whole image",
    "frozen": "none: statistics are fixed, tiles equal the whole image",
    "exact": "some: statistics belong to the whole plane, and translate gathers them first",
    "dense": "some: statistics are interpolated between cells of the plane",
}


@dataclass(frozen=True)
class CheckReport:
    """How a model tiles.

    Parameters
    ----------
    reach : int or None
        Pixels that an output pixel depends on to either side; None without limit.
    stride : int
        Grid on which tiles start, pixels.
    halo : int
        Pixels that tiles read around what they write.
    max_abs_difference : float
        Largest difference of a sample in tiles from the sample in one piece,
        in network units (1 is the range of the target's intensities).
    seam_index : float
        Mean gradient across borders of tiles, divided by that elsewhere, and by the same
        of the sample in one piece; 1 is no seam.
    norm : str
        Whose statistics `translate` uses by default, as its ``--norm``.
    norm_layers : dict
        Number of norm layers by kind, on the way of this direction and back.
    norm_risk : str
        What they mean for tiles.
    tile : int
        Side of the tile that ``auto`` takes on this device for large images, pixels.
    """

    reach: int | None
    stride: int
    halo: int
    max_abs_difference: float
    seam_index: float
    norm: str
    norm_layers: dict[str, int]
    norm_risk: str
    tile: int


def check(
    run: str | Path | None = None,
    source: str | Path | None = None,
    *,
    direction: str = "a2b",
    device: str = "auto",
    progress: Progress = silent,
) -> CheckReport:
    """Measure how a model tiles.

    Parameters
    ----------
    run : str or Path, optional
        The trained run; found as `translate` finds it by default.
    source : str or Path, optional
        An image whose middle is the sample; noise by default.
    direction : "a2b" or "b2a"
        From which domain to which.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    progress : Progress
        Told of the tiles done.

    Raises
    ------
    InputError
        If there is no such run, image or device.
    """
    options = TranslateOptions(
        model=None if run is None else Path(run),
        direction=cast(Direction, direction),
        hardware=Hardware(cast(Device, device), workers=0),
    )
    way = options.direction
    resources = find_resources(options.hardware)
    model = load_model(find_run(options.model, os.environ, Path.cwd()))
    model.check_direction(way)
    norm, halo = choose_policy(model, options), model.local_reach(way)
    core = -(-CORE // model.stride) * model.stride
    tiling = Tiling(core + 2 * (halo + model.stride - 1), halo, model.stride, "crop")
    planes = _sample(model, source, options, tiling.tile + (TILES - 1) * core + 1)
    forward = Forward(resources.device, "32", False, 1, resources.threads, frozen=norm == "frozen")
    network = TileNetwork(model, way, forward)
    units = torch.from_numpy(planes)
    whole = network.translate(units, Region.whole(planes.shape[-2:])).cpu().numpy()
    told = _told(network, model, options, norm, units)
    grid, tiled = _tiled(planes, tiling, told, progress)
    return CheckReport(
        reach=model.reach(way),
        stride=model.stride,
        halo=halo,
        max_abs_difference=float(np.abs(tiled - whole).max()),
        # where the image in one piece has no step at all, any step is a seam
        seam_index=seam_index(tiled, grid) / (seam_index(whole, grid) or 1.0),
        norm=norm,
        norm_layers=_norm_layers(model),
        norm_risk=_RISKS[norm],
        tile=_usual_tile(model, options, resources.device),
    )


def seam_index(planes: npt.NDArray[np.float32], grid: TileGrid) -> float:
    """Mean gradient across borders of tiles divided by that elsewhere.

    Borders lie on the network's stride, where upsampling has a texture of its
    own, and away from the image's edges, where zero padding has one; so they
    are compared with steps on the stride and a halo away from the edges.  What
    is left is the chance that borders run through busier places: the index of
    the same image in one piece has it too.

    Parameters
    ----------
    planes : array, (n, c, y, x)
        Translated planes.
    grid : TileGrid
        The tiles they were made of.

    Returns
    -------
    float
        About 1 where nothing tells borders from the rest, 1 where nothing varies.
    """
    at_borders: list[npt.NDArray[Any]] = []
    elsewhere: list[npt.NDArray[Any]] = []
    stride, halo = grid.tiling.stride, grid.tiling.halo
    for axis, cells in ((-2, grid.rows), (-1, grid.columns)):
        steps = np.moveaxis(np.abs(np.diff(planes, axis=axis)), axis, 0)
        border = np.zeros(len(steps), bool)
        border[[cell.start - 1 for cell in cells[1:]]] = True
        position = np.arange(1, len(steps) + 1)
        inside = (position >= halo) & (position <= len(steps) - halo) & (position % stride == 0)
        at_borders.append(steps[border].ravel())
        elsewhere.append(steps[inside & ~border].ravel())
    across, within = (np.concatenate(parts) for parts in (at_borders, elsewhere))
    if across.size == 0 or not within.any():
        return 1.0
    return float(across.mean() / within.mean())


def _sample(
    model: Model, source: str | Path | None, options: TranslateOptions, side: int
) -> npt.NDArray[np.float32]:
    """What makes one plane, in network units: the middle of an image, or noise.

    Returns
    -------
    array of float32, (1, c, y, x), or (1, t, c, y, x) where the network reads several frames
    """
    channels, frames = model.source(options.direction).channels, model.settings.frames_read
    if source is None:
        shape = (1, frames, channels, side, side + 2)
        noise = np.random.default_rng(0).random(shape, np.float32)
        return noise if frames > 1 else noise[:, 0]
    image = open_image(source)
    intensity, _ = fit_intensity(image, model, options)
    t, _, z, *plane = image.shape
    start = [max(0, (size - side) // 2) for size in plane]
    stop = [min(size, begin + side) for begin, size in zip(start, plane, strict=True)]
    first, last = t // 2, t // 2 + 1
    chosen: Any = slice(None)
    if frames > 1:
        movie = Frames(t, frames // 2)
        chosen = movie.windows(first, last) - movie.reads(first, last)[0]
        first, last = movie.reads(first, last)
    box = Region((first, z // 2, *start), (last, z // 2 + 1, *stop))
    return intensity.enter(image.read(box)[:, :, 0][chosen]).numpy()


def _told(
    network: TileNetwork, model: Model, options: TranslateOptions, norm: Policy, units: Tensor
) -> TileNetwork:
    """The network with the sample's statistics where it needs those of a whole plane."""
    height, width = units.shape[-2:]
    side = max(height, width)
    whole = Tiling(side, side, model.stride, "crop")
    survey = plan_survey(model, options, norm, (height, width), whole)
    if survey is None:
        return network
    return network.given(sample_statistics(network, units, survey))


def _tiled(
    planes: npt.NDArray[np.float32], tiling: Tiling, network: TileNetwork, progress: Progress
) -> tuple[TileGrid, npt.NDArray[np.float32]]:
    height, width = planes.shape[-2:]
    whole = Region.whole((height, width))
    y, x = (Window(size, 0, size, size) for size in (height, width))
    grid = TileGrid.cover(tiling, y, x)
    same = Normalizer((0.0,), (1.0,))
    total, done = grid.count(whole), 0

    def counted(tile: torch.Tensor, area: Region) -> torch.Tensor:
        nonlocal done
        done += 1
        progress("tiles", done, total)
        return network.translate(tile, area)

    channels = network.channels
    renderer = Renderer(grid, Intensity(same, same, "float32"), channels)
    return grid, renderer.render(Sheet(planes, whole), whole, counted).pixels


def _norm_layers(model: Model) -> dict[str, int]:
    batch = sum(isinstance(layer, BatchNorm2d) for layer in model.network.modules())
    counts = {"batch": batch, "instance": len(instance_norms(model.network))}
    return {name: count for name, count in counts.items() if count}


def _usual_tile(model: Model, options: TranslateOptions, device: str) -> int:
    """The automatic tile on a plane of 16384 pixels a side, or 0 where none fits."""
    sizes = Sizes((16384, 16384), (4096, 4096))
    try:
        return choose_tilings(model, options, sizes, device)[0].tile
    except InputError:
        return 0
