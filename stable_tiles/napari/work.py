"""Work: a layer through the same library call as the command's, whole or a part in sight."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stable_tiles.errors import InputError
from stable_tiles.image.store import open_image
from stable_tiles.napari.copies import finest, names_of, store_for
from stable_tiles.napari.layers import LayerData, layers_of, store_of
from stable_tiles.progress import Progress, silent
from stable_tiles.region import Region
from stable_tiles.translate.options import Selection, TranslateOptions
from stable_tiles.translate.verb import translate


def translate_layer(
    layer: Any,
    target: Path | None,
    options: TranslateOptions,
    progress: Progress = silent,
) -> list[LayerData]:
    """Translate a layer into a store, and show that.

    Parameters
    ----------
    layer : napari.layers.Image
        Its store is translated where it has one, all channels of it; else its
        pixels are copied into a store for as long as it takes.
    target : Path or None
        The output; None for the place that ``translate`` chooses, beside the store.
    options : TranslateOptions
        As for `translate`; work on a layer that has a store is resumed.
    progress : Progress
        Told of regions.

    Returns
    -------
    list of LayerData
        Of the translation, and of its confidence where that was asked for.

    Raises
    ------
    InputError
        If anything does not fit, or a layer without a store has no target.
    WorkFailed, Interrupted
        As of `translate`.
    """
    stored = store_of(layer) is not None
    if not stored and target is None:
        raise InputError(f"{layer.name} lies in no OME-Zarr store: name the output")
    resume = stored and not options.overwrite
    with store_for(layer) as source:
        done = translate(source, target, replace(options, resume=resume), progress)
    layers = layers_of(open_image(done.output))
    if options.confidence:
        for data, arguments, kind in layers_of(open_image(Path(done.output) / "confidence")):
            layers.append((data, {**arguments, "visible": False}, kind))
    return layers


def preview_layer(
    layer: Any, select: Selection, options: TranslateOptions, progress: Progress = silent
) -> list[LayerData]:
    """Translate a part of a layer and show it where it lies; nothing is left on disk.

    Parameters
    ----------
    layer, options, progress
        As for `translate_layer`.
    select : Selection
        The part.

    Returns
    -------
    list of LayerData
        With the pixels in memory.
    """
    with tempfile.TemporaryDirectory(prefix="stable-tiles-") as folder, store_for(layer) as source:
        target = Path(folder) / "preview.zarr"
        chosen = replace(options, select=select, resume=False, overwrite=False, confidence=False)
        translate(source, target, chosen, progress)
        return [_loaded(made, layer.name) for made in layers_of(open_image(target))]


def in_sight(layer: Any, place: Sequence[float], side: int) -> Selection:
    """The square of a layer around a place, and the plane it lies in.

    Parameters
    ----------
    layer : napari.layers.Image
    place : sequence of float
        In the coordinates of napari's world, along all of its dimensions.
    side : int
        Pixels; less where the layer ends.
    """
    names = names_of(layer)
    point = layer.world_to_data(place)[-len(names) :]
    spans = {}
    for name, at, size in zip(names, point, finest(layer).shape, strict=False):
        width = min(side, size) if name in "yx" else 1
        first = round(at) - width // 2
        first = min(max(first, 0), size - width)
        spans[name] = (first, first + width)
    plane = Region((spans["y"][0], spans["x"][0]), (spans["y"][1], spans["x"][1]))
    return Selection(plane, spans.get("t"), spans.get("z"))


def _loaded(made: LayerData, name: str) -> LayerData:
    """The same with full resolution in memory, named as a preview, and of no store."""
    data, arguments, kind = made
    pixels = np.asarray(data[0] if arguments["multiscale"] else data)
    shown = {"multiscale": False, "metadata": {}, "name": f"preview of {name}"}
    return pixels, {**arguments, **shown}, kind
