"""Copies: a layer's pixels as a store for as long as the library needs one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import ORDER, Axes
from stable_tiles.errors import InputError
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import RGB_CHANNELS, Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import create_store
from stable_tiles.napari.layers import store_of
from stable_tiles.region import Region

_UNNAMED = {2: "yx", 3: "zyx", 4: "tzyx"}
"""Axes of a layer that does not name its own, by their number."""


@contextmanager
def store_for(layer: Any) -> Iterator[str]:
    """The store of a layer; a copy where it has none, removed afterwards.

    Parameters
    ----------
    layer : napari.layers.Image

    Raises
    ------
    InputError
        If its dimensions are not known.
    """
    stored = store_of(layer)
    if stored is not None:
        yield stored
        return
    with tempfile.TemporaryDirectory(prefix="stable-tiles-") as folder:
        path = Path(folder) / f"{layer.name.replace('/', '_')}.zarr"
        _write(layer, path)
        yield str(path)


def names_of(layer: Any) -> str:
    """The axes of a layer's dimensions, such as ``tyx``; the colours of a colour image have none.

    Raises
    ------
    InputError
        If it has more dimensions than an image and does not name them.
    """
    labels = "".join(layer.axis_labels)
    named = all(len(label) == 1 for label in layer.axis_labels)
    if named and labels.endswith("yx") and labels == "".join(n for n in ORDER if n in labels):
        return labels
    if layer.ndim not in _UNNAMED:
        raise InputError(
            f"{layer.name} has {layer.ndim} dimensions: name them t, c, z, y, x (axis_labels)"
        )
    return _UNNAMED[layer.ndim]


def finest(layer: Any) -> Any:
    """The pixels of a layer at full resolution, wherever they lie."""
    return layer.data[0] if layer.multiscale else layer.data


def _write(layer: Any, path: Path) -> None:
    """Write the pixels of a layer as a store, region by region."""
    spec = _spec(layer)
    writer = create_store(path, spec, {"command": "napari"})
    for region in spec.layout.regions():
        writer.write(region, _block(layer, region, spec))
    writer.seal(path, {"kind": "source", "provenance": {"command": "napari"}})


def _spec(layer: Any) -> ImageSpec:
    names, data = names_of(layer), finest(layer)
    sizes = dict(zip(names, data.shape, strict=False)) | ({"c": 3} if layer.rgb else {})
    units = {
        name: None if str(unit) == "pixel" else str(unit)
        for name, unit in zip(names, layer.units, strict=True)
    }
    scale = dict(zip(names, map(float, layer.scale), strict=True))
    axes = Axes.named("".join(name for name in ORDER if name in sizes), scale, units)
    shape = tuple(sizes.get(name, 1) for name in ORDER)
    grey = tuple(Channel(f"channel {k}") for k in range(shape[1]))
    layout = plan_layout(shape, data.dtype.itemsize, rgb=layer.rgb)
    return ImageSpec(axes, layout, str(data.dtype), RGB_CHANNELS if layer.rgb else grey)


def _block(layer: Any, region: Region, spec: ImageSpec) -> npt.NDArray[Any]:
    """The pixels of a region over (t, z, y, x), as (t, c, z, y, x)."""
    slices = dict(zip("tzyx", region.slices, strict=True)) | {"c": slice(None)}
    block = np.asarray(finest(layer)[tuple(slices[name] for name in names_of(layer))])
    if layer.rgb:
        block = np.moveaxis(block[..., :3], -1, spec.axes.names.index("c"))
    return block.reshape(region.shape[0], spec.layout.shape[1], *region.shape[1:])
