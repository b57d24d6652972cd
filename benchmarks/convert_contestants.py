"""What `convert.py` runs beside `stable-tiles convert`, each in a process of its own.

    python benchmarks/convert_contestants.py stable-tiles|limit|ome-zarr-py SOURCE TARGET THREADS

Prints wall and CPU seconds of the work itself, imports left out.

The limit decodes, halves, compresses and writes, and does nothing else: no
store, no counting, no digests, nothing to resume from.  This file imports what
a contestant needs only where it runs, so that peers can live elsewhere.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

CHUNK, SHARD, PLANES = 512, 4096, 128

IMPORTS = {
    "stable-tiles": ("stable_tiles.convert",),
    "limit": (
        "stable_tiles.image.pyramid",
        "stable_tiles.image.sources.inflate",
        "numcodecs",
        "tifffile",
        "imagecodecs",
        "nibabel",
    ),
    "ome-zarr-py": ("ome_zarr.writer", "dask.array", "tifffile", "imagecodecs", "nibabel"),
}
"""What each needs, imported before its clock runs."""


def stable_tiles(source: Path, target: Path, threads: int) -> None:
    """The library's verb with its defaults."""
    from stable_tiles.convert import ConvertOptions, convert

    convert(source, target, ConvertOptions(workers=threads))


def limit(source: Path, target: Path, threads: int) -> None:
    """Same decoder, same mean, same codec, same chunks; each region into one file a level."""
    import numcodecs

    from stable_tiles.image.pyramid import halve

    target.mkdir()
    encode = numcodecs.Zstd(level=1, checksum=True).encode

    def write(number: int, read: Callable[[], Any]) -> None:
        block, level = read(), 0
        while True:
            with (target / f"{number}.{level}").open("wb") as file:
                for part in _chunks(block):
                    file.write(encode(part))
            if max(block.shape[-2:]) <= CHUNK:
                return
            block, level = halve(block), level + 1

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, *zip(*enumerate(_readers(source)), strict=True)))


def _chunks(block: Any) -> Iterator[Any]:
    """Chunks of a block (planes, channels, y, x): all channels of a colour image together."""
    for plane in range(block.shape[0]):
        for y, x in product(*(range(0, n, CHUNK) for n in block.shape[2:])):
            yield np.ascontiguousarray(block[plane, :, y : y + CHUNK, x : x + CHUNK])


def _readers(source: Path) -> list[Callable[[], Any]]:
    """One function a region; each gives (planes, channels, y, x)."""
    if source.name.endswith(".nii.gz"):
        return _volume(source)
    import tifffile

    tiff = tifffile.TiffFile(source)
    series = tiff.series[0]
    if series.keyframe.is_tiled:
        return _slide(source, series.keyframe)
    frames = tifffile.memmap(source)
    return [
        (lambda a=a: np.array(frames[a : a + PLANES, None]))  # type: ignore[misc]  # bound
        for a in range(0, len(frames), PLANES)
    ]


def _slide(source: Path, page: Any) -> list[Callable[[], Any]]:
    handle = os.open(source, os.O_RDONLY)
    decode, tile = page.decode, page.tilewidth
    across = -(-page.imagewidth // tile)

    def region(top: int, left: int) -> Any:
        high, wide = min(SHARD, page.imagelength - top), min(SHARD, page.imagewidth - left)
        block = np.empty((1, 3, high, wide), np.uint8)
        for y, x in product(range(0, high, tile), range(0, wide, tile)):
            index = (top + y) // tile * across + (left + x) // tile
            data = os.pread(handle, page.databytecounts[index], page.dataoffsets[index])
            pixels = decode(data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0]
            part = pixels[0, : high - y, : wide - x]
            block[0, :, y : y + part.shape[0], x : x + part.shape[1]] = part.transpose(2, 0, 1)
        return block

    starts = product(range(0, page.imagelength, SHARD), range(0, page.imagewidth, SHARD))
    return [lambda top=top, left=left: region(top, left) for top, left in starts]  # type: ignore[misc]  # bound


def _volume(source: Path) -> list[Callable[[], Any]]:
    """Whole planes in the order of the stream, which one thread at a time inflates."""
    import nibabel

    from stable_tiles.image.sources.inflate import inflate

    header: Any = nibabel.load(source).header  # type: ignore[attr-defined]  # nibabel is untyped
    x, y, z = header.get_data_shape()
    pieces, lock, rest = inflate(source), Lock(), memoryview(b"")

    def fill(view: memoryview) -> None:
        nonlocal rest
        while view:
            rest = rest or memoryview(next(pieces))
            count = min(len(rest), len(view))
            view[:count], rest, view = rest[:count], rest[count:], view[count:]

    def planes(count: int) -> Any:
        block = np.empty((count, 1, y, x), header.get_data_dtype())
        with lock:
            fill(memoryview(block.reshape(-1).view(np.uint8)))
        return block

    fill(memoryview(bytearray(int(header["vox_offset"]))))
    return [partial(planes, min(PLANES, z - a)) for a in range(0, z, PLANES)]


def ome_zarr_py(source: Path, target: Path, threads: int) -> None:
    """As its documentation shows: a dask array, `write_image` with a pyramid, OME-Zarr 0.5."""
    import dask
    import dask.array as da
    import zarr
    from ome_zarr.writer import write_image

    dask.config.set(scheduler="threads", num_workers=threads)
    if source.name.endswith(".nii.gz"):
        import nibabel

        proxy: Any = nibabel.load(source).dataobj  # type: ignore[attr-defined]  # nibabel is untyped
        array, axes = da.from_array(np.asarray(proxy.get_unscaled()).T), "zyx"
    else:
        import tifffile

        array = da.from_zarr(zarr.open(tifffile.imread(source, aszarr=True, level=0), mode="r"))
        axes = "cyx" if array.ndim == 3 and array.shape[-1] == 3 else "tyx"
        array = array.transpose(2, 0, 1) if axes == "cyx" else array
    chunks = (3 if axes == "cyx" else 1, CHUNK, CHUNK)
    array = array.rechunk(chunks)
    group = zarr.open_group(str(target), mode="w", zarr_format=3)
    storage: Any = {"chunks": chunks}
    write_image(array, group, axes=list(axes), storage_options=storage)


def _work(name: str, source: Path, target: Path, threads: int) -> dict[str, float]:
    runs = {"stable-tiles": stable_tiles, "limit": limit, "ome-zarr-py": ome_zarr_py}
    for module in IMPORTS[name]:
        import_module(module)
    wall, cpu = time.monotonic(), time.process_time()
    runs[name](source, target, threads)
    return {"work_s": time.monotonic() - wall, "work_cpu_s": time.process_time() - cpu}


if __name__ == "__main__":
    print(json.dumps(_work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))))
