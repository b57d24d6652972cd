"""Cut: which tiles a network needs, from its reach and what a device can hold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import cast

from stable_tiles.model import Model
from stable_tiles.tiling.axis import Tiling
from stable_tiles.tiling.blend import Blend
from stable_tiles.tiling.plan import auto_tile
from stable_tiles.translate.forward import most_pixels
from stable_tiles.translate.options import Direction, TranslateOptions

BLEND_CORE = 512
"""Pixels between the starts of overlapping tiles."""

BLEND_HALO = 64
"""Half the overlap of such tiles, pixels."""

LEAST_CORE = 64
"""What a tile that gathers statistics counts at least along an axis, pixels."""


@dataclass(frozen=True)
class Sizes:
    """Height and width of the source's planes, and of one region, pixels."""

    plane: tuple[int, int]
    region: tuple[int, int]


def whole_reach(model: Model, direction: Direction, *, errors: bool) -> int:
    """Pixels that an output pixel depends on to either side, statistics of norms given.

    With errors the image also goes back, which adds the reach of the way back.
    """
    there = model.local_reach(direction)
    back = model.local_reach("b2a" if direction == "a2b" else "a2b")
    return there + back if errors else there


def choose_tilings(
    model: Model, options: TranslateOptions, sizes: Sizes, device: str
) -> tuple[Tiling, Tiling | None]:
    """The tilings that make tiles equal the whole plane wherever that is possible.

    Returns
    -------
    Tiling
        Of the last, or only, pass through the network.
    Tiling or None
        Of the pass through the encoder, where encoder and decoder run apart.

    Raises
    ------
    InputError
        If the tile is smaller than its halo.
    """
    most = most_pixels(model.settings, device)
    reach = whole_reach(model, options.direction, errors=options.confidence)
    if options.blend not in {"auto", "crop"}:
        return _overlapping(cast(Blend, options.blend), model.stride, options), None
    if options.halo == "auto" and not options.confidence:
        halves = model.network.halves(options.direction)
        if halves is not None:
            first, last = (_cropped(model, options, sizes, (halo, most)) for halo in halves)
            return last, first
    halo = reach if options.halo == "auto" else options.halo
    if halo < reach:
        warnings.warn(
            f"--halo {halo} is below the network's reach of {reach} pixels: seams are possible",
            stacklevel=2,
        )
    return _cropped(model, options, sizes, (halo, most)), None


def survey_tiling(
    model: Model, options: TranslateOptions, plane: tuple[int, int], device: str
) -> Tiling:
    """The tiling in which statistics of a whole plane are gathered: few, exact tiles."""
    halo = whole_reach(model, options.direction, errors=options.confidence)
    if options.tile != "auto":
        least = 2 * (halo + model.stride) + LEAST_CORE
        return Tiling(max(options.tile, least), halo, model.stride, "crop")
    bounds = (halo, most_pixels(model.settings, device))
    return _cropped(model, options, Sizes(plane, plane), bounds)


def _cropped(
    model: Model, options: TranslateOptions, sizes: Sizes, bounds: tuple[int, int]
) -> Tiling:
    """Tiles with a halo and at most so many pixels, as given by `bounds`."""
    halo, most = bounds
    if options.tile != "auto":
        return Tiling(options.tile, halo, model.stride, "crop")
    margin = 2 * (halo + model.stride)
    area = (sizes.region[0] + margin, sizes.region[1] + margin)
    height, width = (
        min(side, max(sizes.plane)) for side in auto_tile(area, halo, model.stride, most)
    )
    return Tiling(width, halo, model.stride, "crop", height)


def _overlapping(blend: Blend, stride: int, options: TranslateOptions) -> Tiling:
    halo = BLEND_HALO if options.halo == "auto" else options.halo
    step = max(stride, BLEND_CORE // stride * stride)
    return Tiling(step + 2 * halo if options.tile == "auto" else options.tile, halo, stride, blend)
