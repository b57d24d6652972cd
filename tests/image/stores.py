"""Small stores for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import RGB_CHANNELS, Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.store import Image, open_image
from stable_tiles.image.writer import ImageWriter, create_store
from stable_tiles.intensity import Histogram
from stable_tiles.region import Region


def begin(
    target: Path,
    pixels: npt.NDArray[Any],
    axes: str,
    *,
    chunk: int = 64,
    shard: int = 128,
    levels: int | Literal["auto"] = "auto",
    labels: bool = False,
) -> ImageWriter:
    """An unfinished store for `pixels`, whose dimensions are `axes`."""
    named = Axes.named(axes, dict.fromkeys("zyx", 0.5), dict.fromkeys("zyx", "micrometer"))
    shape = named.canonical_shape(pixels.shape)
    rgb = shape[1] == 3 and pixels.dtype == np.uint8
    layout = plan_layout(
        shape, pixels.dtype.itemsize, chunk=chunk, shard=shard, levels=levels, rgb=rgb
    )
    channels = RGB_CHANNELS if rgb else tuple(Channel(f"c{i}") for i in range(shape[1]))
    ngff: Literal["0.4", "0.5"] = "0.5" if shard else "0.4"
    spec = ImageSpec(named, layout, str(pixels.dtype), channels, ngff, labels=labels)
    return create_store(target, spec, {"regions": len(layout.regions())})


def write_store(
    target: Path, pixels: npt.NDArray[Any], axes: str = "yx", *, chunk: int = 64, shard: int = 128
) -> Image:
    """A finished store that holds `pixels` and their percentiles."""
    writer = begin(target, pixels, axes, chunk=chunk, shard=shard)
    canonical = pixels.reshape(writer.spec.axes.canonical_shape(pixels.shape))
    histogram = Histogram(canonical.shape[1], pixels.dtype)
    for region in writer.spec.layout.regions():
        block = cut(canonical, region)
        writer.write(region, block)
        histogram.update(block)
    writer.seal(target, {"kind": "source", "intensity": {"percentiles": histogram.stored()}})
    return open_image(target)


def cut(canonical: npt.NDArray[Any], region: Region) -> npt.NDArray[Any]:
    """The pixels of a region over (t, z, y, x) from an array (t, c, z, y, x)."""
    t, z, y, x = region.slices
    return canonical[t, :, z, y, x]
