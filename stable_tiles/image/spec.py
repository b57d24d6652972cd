"""ImageSpec: what a store will look like, decided before it is created."""

from __future__ import annotations

from dataclasses import dataclass

from stable_tiles.axes import Axes
from stable_tiles.errors import InputError
from stable_tiles.image.codec import DEFAULT_CODEC, Codec
from stable_tiles.image.layout import Layout
from stable_tiles.image.ngff import Channel, Version


@dataclass(frozen=True)
class ImageSpec:
    """What a store will look like.

    Parameters
    ----------
    axes : Axes
        The axes that exist, with scale and unit.
    layout : Layout
        Shapes of levels, chunks and shards.
    dtype : str
        Dtype of the pixels, such as ``uint16``.
    channels : tuple of Channel
        One for each channel.
    ngff : "0.5" or "0.4"
        NGFF version; 0.5 lies on Zarr v3, 0.4 on Zarr v2, which has no shards.
    codec : Codec
        Compression of the chunks.
    labels : bool
        Whether pixels are object numbers: levels then take the nearest, not the mean.
    """

    axes: Axes
    layout: Layout
    dtype: str
    channels: tuple[Channel, ...]
    ngff: Version = "0.5"
    codec: Codec = DEFAULT_CODEC
    labels: bool = False

    def __post_init__(self) -> None:
        if len(self.channels) != self.layout.shape[1]:
            raise ValueError(f"{len(self.channels)} channels named of {self.layout.shape[1]}")
        if self.ngff == "0.4" and self.layout.levels[0].shards:
            raise InputError("NGFF 0.4 has no shards: use --shard 0 or --ngff 0.5")
