"""Spec: what the output store looks like, from the source's axes and the model's domain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stable_tiles.axes import ORDER, Axes, Axis
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import RGB_COLORS, Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.store import Image
from stable_tiles.model import Domain
from stable_tiles.region import Region
from stable_tiles.translate.job import ERROR_CHANNELS
from stable_tiles.translate.options import StoreOptions


def output_spec(
    image: Image, target: Domain, box: Region, stored: tuple[str, StoreOptions]
) -> ImageSpec:
    """The output: axes and scale of the source, channels of the target domain.

    Parameters
    ----------
    image : Image
        The source.
    target : Domain
        What the model makes.
    box : Region
        The part (t, z, y, x) of the source that is translated.
    stored : tuple of str and StoreOptions
        Dtype of the output, and how it is stored.
    """
    dtype, options = stored
    t, z, y, x = box.shape
    channels = tuple(Channel(*pair) for pair in zip(*_named(target), strict=True))
    rgb = dtype == "uint8" and tuple(c.color for c in channels) == RGB_COLORS
    layout = plan_layout(
        (t, target.channels, z, y, x),
        np.dtype(dtype).itemsize,
        chunk=options.chunk,
        shard=options.shard_side,
        rgb=rgb,
    )
    axes = _with_channels(image.axes, target.channels)
    return ImageSpec(axes, layout, dtype, channels, options.ngff, options.codec)


def error_spec(spec: ImageSpec) -> ImageSpec:
    """The companion image of errors: float32, one shard wherever the output has one."""
    first = spec.layout.levels[0]
    t, _, z, y, x = first.shape
    shape = (t, len(ERROR_CHANNELS), z, y, x)
    levels = tuple(
        replace(
            level,
            shape=(level.shape[0], shape[1], *level.shape[2:]),
            chunks=(level.chunks[0], 1, *level.chunks[2:]),
            shards=(level.shards[0], 1, *level.shards[2:]) if level.shards else None,
        )
        for level in spec.layout.levels
    )
    return replace(
        spec,
        axes=_with_channels(spec.axes, shape[1]),
        layout=replace(spec.layout, levels=levels),
        dtype="float32",
        channels=tuple(Channel(name) for name in ERROR_CHANNELS),
    )


def _with_channels(axes: Axes, count: int) -> Axes:
    """The axes, with one for channels where there are several."""
    if count == 1 or "c" in axes.names:
        return axes
    items = sorted((*axes.items, Axis("c")), key=lambda axis: ORDER.index(axis.name))
    return Axes(tuple(items))


def _named(target: Domain) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return target.channel_names, target.colors
