"""Small stores for the tests of training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.store import Image, open_image
from stable_tiles.image.writer import create_store


def write_store(
    path: Path,
    pixels: npt.NDArray[Any],
    names: str = "tczyx",
    *,
    chunk: int = 32,
    scale: dict[str, float] | None = None,
    colors: Sequence[str] | None = None,
    shard: int = 0,
) -> Image:
    """An image of canonical shape (t, c, z, y, x), written and opened."""
    units: dict[str, str | None] = dict.fromkeys(scale or {}, "micrometer")
    layout = plan_layout(pixels.shape, pixels.dtype.itemsize, chunk=chunk, shard=shard)
    named = tuple(
        Channel(f"channel {i}", (colors or ["FFFFFF"] * pixels.shape[1])[i])
        for i in range(pixels.shape[1])
    )
    spec = ImageSpec(Axes.named(names, scale, units), layout, str(pixels.dtype), named)
    writer = create_store(path, spec, {})
    for region in layout.regions():
        t, z, y, x = region.slices
        writer.write(region, pixels[t, :, z, y, x])
    writer.seal(path, {"kind": "source"})
    return open_image(path)


def random_pixels(shape: Sequence[int], seed: int = 0, dtype: str = "uint8") -> npt.NDArray[Any]:
    """Uniform noise in 0..255 of a dtype."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)
