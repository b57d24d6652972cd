"""Cut: which tiles a network needs, from its reach and what a device can hold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from stable_tiles.errors import InputError, ModelError
from stable_tiles.model import Model
from stable_tiles.tiling.axis import Tiling
from stable_tiles.tiling.plan import auto_tile
from stable_tiles.translate.forward import most_pixels
from stable_tiles.translate.options import Direction, TranslateOptions

BLEND_CORE = 512
"""Pixels between the starts of overlapping tiles."""

BLEND_HALO = 64
"""Half the overlap of such tiles, pixels."""


@dataclass(frozen=True)
class Sizes:
    """Height and width of the source's planes, and of one region, pixels."""

    plane: tuple[int, int]
    region: tuple[int, int]


def whole_reach(model: Model, direction: Direction, *, errors: bool) -> int | None:
    """Pixels that an output pixel depends on to either side; None without limit.

    With errors the image also goes back, which adds the reach of the way back.
    """
    there = model.reach(direction)
    back = model.reach("b2a" if direction == "a2b" else "a2b")
    if not errors or there is None:
        return there
    return None if back is None else there + back


def choose_tiling(model: Model, options: TranslateOptions, sizes: Sizes, device: str) -> Tiling:
    """The tiling that makes tiles equal the whole plane wherever that is possible.

    Raises
    ------
    ModelError
        If the network's statistics need more of the plane than a tile can hold.
    InputError
        If the options leave no halo for ``crop``.
    """
    most = most_pixels(model.settings, device)
    if model.settings.norm == "instance":
        return _whole_plane(model, options, sizes, most)
    reach = whole_reach(model, options.direction, errors=options.confidence)
    blend = options.blend
    if blend == "auto":
        blend = "hann" if reach is None else "crop"
    if blend != "crop":
        halo = BLEND_HALO if options.halo == "auto" else options.halo
        step = max(model.stride, BLEND_CORE // model.stride * model.stride)
        tile = step + 2 * halo if options.tile == "auto" else options.tile
        return Tiling(tile, halo, model.stride, blend)
    halo = _exact_halo(reach) if options.halo == "auto" else options.halo
    if reach is not None and halo < reach:
        warnings.warn(
            f"--halo {halo} is below the network's reach of {reach} pixels: seams are possible",
            stacklevel=2,
        )
    tile = options.tile
    if tile == "auto":
        tile = min(auto_tile(sizes.region, halo, model.stride, most), max(sizes.plane))
    return Tiling(tile, halo, model.stride, "crop")


def _exact_halo(reach: int | None) -> int:
    if reach is None:
        raise InputError("--blend crop: this network's reach has no limit: give --halo, or hann")
    return reach


def _whole_plane(model: Model, options: TranslateOptions, sizes: Sizes, most: int) -> Tiling:
    """One tile that every region computes whole: exact for statistics over the plane."""
    if options.norm in {"frozen", "dense"}:
        raise ModelError(f"--norm {options.norm} is not available in this version: use exact")
    height, width = sizes.plane
    if height * width > most:
        raise ModelError(
            f"the model's instance norm needs a whole plane at once, and {height} x {width} is "
            f"above {most} pixels: use --region, or train with network.norm batch or none"
        )
    side = max(height, width)
    return Tiling(side, side, model.stride, "crop")
