"""Cut: which tiles a network needs, from its reach and what a device can hold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from stable_tiles.errors import InputError, ModelError
from stable_tiles.model import Model
from stable_tiles.networks.reach import reach as reach_of
from stable_tiles.tiling.axis import Tiling
from stable_tiles.tiling.blend import Blend
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
    ModelError
        If the network's statistics need more of the plane than a tile can hold.
    InputError
        If the options leave no halo for ``crop``.
    """
    most = most_pixels(model.settings, device)
    if model.settings.norm == "instance":
        return _whole_plane(model, options, sizes, most), None
    reach = whole_reach(model, options.direction, errors=options.confidence)
    blend = options.blend
    if blend == "auto":
        blend = "hann" if reach is None else "crop"
    if blend != "crop":
        return _overlapping(blend, model.stride, options), None
    if options.halo == "auto" and reach is not None and not options.confidence:
        halves = half_reaches(model, options.direction)
        if halves is not None:
            first, last = (_cropped(model, options, sizes, (halo, most)) for halo in halves)
            return last, first
    halo = _exact_halo(reach) if options.halo == "auto" else options.halo
    if reach is not None and halo < reach:
        warnings.warn(
            f"--halo {halo} is below the network's reach of {reach} pixels: seams are possible",
            stacklevel=2,
        )
    return _cropped(model, options, sizes, (halo, most)), None


def half_reaches(model: Model, direction: Direction) -> tuple[int, int] | None:
    """Pixels that encoder and decoder look to either side; None where they cannot run apart."""
    network = model.network
    if model.settings.norm == "instance" or model.settings.feature_scale != 1:
        return None
    pair = (network.encoder_a, network.decoder_b)
    encoder, decoder = pair if direction == "a2b" else (network.encoder_b, network.decoder_a)
    return reach_of(encoder.needs, encoder.stride), reach_of(decoder.needs, decoder.stride)


def _cropped(
    model: Model, options: TranslateOptions, sizes: Sizes, bounds: tuple[int, int]
) -> Tiling:
    """Tiles with a halo and at most so many pixels, as given by `bounds`."""
    halo, most = bounds
    if options.tile != "auto":
        return Tiling(options.tile, halo, model.stride, "crop")
    margin = 2 * (halo + model.stride)
    area = (sizes.region[0] + margin, sizes.region[1] + margin)
    tile = min(auto_tile(area, halo, model.stride, most), max(sizes.plane))
    return Tiling(tile, halo, model.stride, "crop")


def _overlapping(blend: Blend, stride: int, options: TranslateOptions) -> Tiling:
    halo = BLEND_HALO if options.halo == "auto" else options.halo
    step = max(stride, BLEND_CORE // stride * stride)
    return Tiling(step + 2 * halo if options.tile == "auto" else options.tile, halo, stride, blend)


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
