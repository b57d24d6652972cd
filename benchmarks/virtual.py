"""A source without files, and a network that sees one pixel: what is left is the scheduling."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zarr
from scenes import eight_bits

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel, Multiscale, describe
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import create_store, partial_folder
from stable_tiles.ledger import Ledger, Receipt, StoredFile
from stable_tiles.region import Region
from stable_tiles.translate.job import Job
from stable_tiles.translate.memory import process_name
from stable_tiles.usage import peak_rss_bytes

SIDE = 64
"""Side of a chunk, a shard and a region, pixels."""

GREY = eight_bits(("grey",), ("FFFFFF",))
"""What the virtual image shows."""


def make_virtual(path: Path, side: int) -> None:
    """The metadata of a grey plane of `side` x `side` regions; no chunk of it is on disk."""
    size = side * SIDE
    layout = plan_layout((1, 1, 1, size, size), 1, chunk=SIDE, shard=SIDE, levels=1)
    channels = (Channel("grey"),)
    create_store(path, ImageSpec(Axes.named("yx"), layout, "uint8", channels), {})
    store = partial_folder(path) / "store"
    image = Multiscale("0.5", Axes.named("yx"), ("0",), (), channels, False)
    window = {"min": 0, "max": 255, "start": 0, "end": 255}
    zarr.open_group(str(store), mode="r+").attrs.put(describe(image, path.stem, [window]))
    store.rename(path)
    store.parent.rmdir()


@lru_cache
def _ledger(folder: Path) -> Ledger:
    return Ledger(folder)


def _pixels(region: Region) -> npt.NDArray[np.uint8]:
    """What the virtual image shows there: a slope that starts again every 256 pixels."""
    y, x = (np.arange(a, b) for a, b in zip(region.start[2:], region.stop[2:], strict=True))
    return (y[:, None] + x).astype(np.uint8)


def make_mock(job: Job, region: Region) -> Receipt:
    """Invert the pixels of a region, keep a receipt of a file that is not written."""
    began = time.time()
    ledger = _ledger(job.folder)
    computing = time.perf_counter()
    pixels = 255 - _pixels(region)
    values = {
        "clipped": 0,
        "halved": 0,
        "forward_seconds": time.perf_counter() - computing,
        "began": began,
        "ended": time.time(),
        "peak_rss_bytes": peak_rss_bytes(),
        "process": process_name(),
    }
    y, x = (a // SIDE for a in region.start[2:])
    receipt = Receipt(region, (StoredFile(f"0/c/{y}/{x}", pixels.nbytes, "0"),), values)
    ledger.record(receipt)
    return receipt
