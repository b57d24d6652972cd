"""Write one simulated image, region by region: memory does not grow with the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from stable_tiles import __version__
from stable_tiles.image.layout import Layout, plan_layout
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import create_store
from stable_tiles.intensity import Histogram
from stable_tiles.region import Region
from stable_tiles.simulate.plan import Output
from stable_tiles.simulate.scene import BLOCK

_UNITS = {"micrometer": "µm", "millimeter": "mm", "second": "s"}


def layout_of(output: Output) -> Layout:
    """How the image is cut into levels, chunks, shards and regions."""
    itemsize = np.dtype(output.picture.dtype).itemsize
    return plan_layout(output.shape, itemsize, rgb=output.picture.is_rgb)


def write_store(output: Output, path: Path, done: Callable[[], None]) -> None:
    """Write an image as an OME-Zarr store.

    Parameters
    ----------
    output : Output
        The image.
    path : Path
        Final name of the store.
    done : callable
        Called after every region.
    """
    picture, layout = output.picture, layout_of(output)
    spec = ImageSpec(output.axes, layout, picture.dtype, picture.channels, labels=picture.is_label)
    writer = create_store(path, spec, {"command": "simulate", "regions": len(layout.regions())})
    histogram = Histogram(len(picture.channels), picture.dtype)
    for region in layout.regions():
        block = output.scene.render(region, output.view)
        writer.write(region, block)
        if not picture.is_label:
            histogram.update(block)
        done()
    attributes = {
        "kind": "labels" if picture.is_label else "source",
        "provenance": provenance(output),
    }
    if not picture.is_label:
        attributes["intensity"] = {"percentiles": histogram.stored()}
    writer.seal(path, attributes)


def write_tiff(output: Output, path: Path, done: Callable[[], None]) -> None:
    """Write an image as a tiled OME-TIFF with pixel size, time step and channel names.

    Parameters
    ----------
    output, path
        As for `write_store`.
    done : callable
        Called after every tile.
    """
    t, c, z, y, x = output.shape
    rgb = output.picture.is_rgb
    shape = (t, z, y, x, c) if rgb else (t, c, z, y, x)
    axes = "TZYXS" if rgb else "TCZYX"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path, ome=True, bigtiff=output.raw_bytes > 2**31) as tiff:
        tiff.write(
            _tiles(output, done),
            shape=shape,
            dtype=output.picture.dtype,
            tile=(BLOCK, BLOCK),
            photometric="rgb" if rgb else "minisblack",
            planarconfig="contig" if rgb else None,
            compression="zlib",
            metadata={"axes": axes, **_ome(output)},
        )


def provenance(output: Output) -> dict[str, Any]:
    """What made an image: the same for the same request, whenever and wherever it was made."""
    scene = output.scene
    return {
        "command": "simulate",
        "version": __version__,
        "task": scene.task.name,
        "seed": scene.seed,
        "scene": scene.name,
        "view": output.view,
        "parameters": asdict(scene.task),
    }


def _tiles(output: Output, done: Callable[[], None]) -> Iterator[npt.NDArray[Any]]:
    """Tiles in the order of a TIFF: plane by plane, row by row; whole even at the image's edges."""
    t, c, z, y, x = output.shape
    rgb = output.picture.is_rgb
    planes = product(range(t), [None] if rgb else range(c), range(z))
    for frame, channel, section in planes:
        for top, left in product(range(0, y, BLOCK), range(0, x, BLOCK)):
            region = Region(
                (frame, section, top, left), (frame + 1, section + 1, top + BLOCK, left + BLOCK)
            )
            block = output.scene.render(region, output.view)[0, :, 0]
            done()
            yield np.moveaxis(block, 0, -1).copy() if channel is None else block[channel]


def _ome(output: Output) -> dict[str, Any]:
    """OME metadata as tifffile takes it."""
    metadata: dict[str, Any] = {}
    keys = {"t": "TimeIncrement", "z": "PhysicalSizeZ", "y": "PhysicalSizeY", "x": "PhysicalSizeX"}
    for axis in output.axes.items:
        if axis.name in keys and axis.unit:
            metadata[keys[axis.name]] = axis.scale
            metadata[keys[axis.name] + "Unit"] = _UNITS[axis.unit]
    if not output.picture.is_rgb:
        metadata["Channel"] = {"Name": [channel.name for channel in output.picture.channels]}
    return metadata
