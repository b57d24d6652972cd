"""Stores of 16384 x 16384 pixels that take a second to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel, Multiscale, describe
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import create_store, partial_folder

SIZE = 16384

CHUNK = (2, 2, 512, 512)

AT_LEVEL_0 = 5
"""What pixels of full resolution are brighter by than those of all coarser levels."""


def sparse_store(target: Path, value: int) -> None:
    """A store of (2, 2, 16384, 16384) pixels, written only where the tests look.

    Pixels hold `value`, plus 20 for t = 1 and 10 for z = 1.  Every shard
    exists, with the chunk in its corner at least.
    """
    scale = {"t": 2.0, "z": 1.0, "y": 0.25, "x": 0.25}
    axes = Axes.named("tzyx", scale, dict.fromkeys("zyx", "micrometer"))
    layout = plan_layout((2, 1, 2, SIZE, SIZE), 1)
    spec = ImageSpec(axes, layout, "uint8", (Channel("gray"),))
    store = create_store(target, spec, {}).store
    group = zarr.open_group(str(store), mode="r+")
    planes = (value + np.array([[0, 10], [20, 30]], np.uint8))[..., None, None]
    for k, level in enumerate(layout.levels):
        array: Any = group[str(k)]
        height = level.shape[3]
        brighter = planes + AT_LEVEL_0 if k == 0 else planes
        if height <= 2048:
            array[:] = np.broadcast_to(brighter, array.shape)
            continue
        assert level.shards
        for y in range(0, height, level.shards[3]):
            for x in range(0, height, level.shards[4]):
                array[:, :, y : y + 512, x : x + 512] = np.broadcast_to(brighter, CHUNK)
        middle = slice(height // 2 - 1024, height // 2 + 1024)
        array[:, :, middle, middle] = np.broadcast_to(brighter, (2, 2, 2048, 2048))
    paths = tuple(str(k) for k in range(len(layout.levels)))
    image = Multiscale("0.5", axes, paths, (), spec.channels, False)
    window = {"min": 0.0, "max": 255.0, "start": 0.0, "end": 255.0}
    group.attrs.put(describe(image, target.name, [window]))
    assert isinstance(store, Path)
    store.rename(target)
    partial_folder(target).rmdir()
