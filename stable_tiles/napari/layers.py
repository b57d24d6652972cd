"""Layers: stores as napari shows them, and the stores that layers came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stable_tiles.errors import StableTilesError
from stable_tiles.image.store import Image, open_image
from stable_tiles.view.contrast import window

LayerData = tuple[Any, dict[str, Any], str]
"""What napari takes for a layer: data, arguments, and its type."""

STORE = "stable_tiles_store"
"""Key of a layer's metadata: the store that it shows."""


def reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """What opens `path` as layers, or None where it is no OME-Zarr image (napari's contract)."""
    if not isinstance(path, str) or store_at(path) is None:
        return None
    return lambda asked: layers_of(open_image(asked))


def store_at(path: str | None) -> str | None:
    """The absolute path of the store at a path; None where there is none that can be read."""
    if not path:
        return None
    try:
        open_image(path)
    except StableTilesError:
        return None
    return path if "://" in path else str(Path(path).absolute())


def store_of(layer: Any) -> str | None:
    """The store that a layer shows; None for pixels that lie in memory or in another file.

    Parameters
    ----------
    layer : napari.layers.Image
    """
    return store_at(layer.metadata.get(STORE)) or store_at(layer.source.path)


def layers_of(image: Image) -> list[LayerData]:
    """An image as layers: one of a colour image, else one a channel.

    Pixels stay on disk until they are seen.  What was cut out of a larger image
    lies where it was cut out.

    Parameters
    ----------
    image : Image
        Of axes (t, c, z, y, x) or some of them.

    Returns
    -------
    list of LayerData
        With name, scale, units, place, contrast and colour.
    """
    levels = [image.to_xarray(k) for k in range(len(image.levels))]
    stem = image.name.removesuffix(".zarr")
    common = {**_geometry(image), "metadata": {STORE: store_at(image.path)}}
    if image.is_rgb:
        arrays = [level.transpose(..., "c").data for level in levels]
        return [_layer(arrays, {**common, "name": stem, "rgb": True})]
    layers = []
    for index, channel in enumerate(image.channels):
        arrays = [(x.isel(c=index) if "c" in x.dims else x).data for x in levels]
        several = len(image.channels) > 1
        look = {
            "name": f"{stem} {channel.name}" if several else stem,
            "blending": "additive" if several else "translucent",
            "colormap": f"#{channel.color}" if channel.color.upper() != "FFFFFF" else "gray",
            "contrast_limits": window(image, index),
        }
        layers.append(_layer(arrays, {**common, **look}))
    return layers


def _layer(arrays: list[Any], arguments: dict[str, Any]) -> LayerData:
    several = len(arrays) > 1
    return arrays if several else arrays[0], {**arguments, "multiscale": several}, "image"


def _geometry(image: Image) -> dict[str, Any]:
    """Names, steps, units and place of the axes; a translation says where it was cut out."""
    axes = [axis for axis in image.axes.items if axis.name != "c"]
    asked = image.attributes.get("provenance", {}).get("options", {})
    origin = asked.get("origin", {})
    return {
        "axis_labels": tuple(axis.name for axis in axes),
        "scale": tuple(axis.scale for axis in axes),
        "units": tuple(axis.unit or "pixel" for axis in axes),
        "translate": tuple(origin.get(axis.name, 0) * axis.scale for axis in axes),
    }
