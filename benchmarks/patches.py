"""Patches a second: random patches of a slide, a movie and a volume, ours against plain reads.

    python benchmarks/patches.py --folder /tmp/patches            # the full sizes: 3 GB, minutes
    python benchmarks/patches.py --size 2048 --frames 50 --slices 8 --patches 64 --rounds 2

Every contender delivers batches of the same kind: float32, normalised, turned
at random.  They take turns, round by round, in one process; figures are sums
over the rounds, of wall clock and of CPU seconds (all threads of the process).

plain        zarr, one read a patch, torch DataLoader
zarrs        the same with the codec pipeline of the package zarrs
tensorstore  the same with tensorstore
ours         `Patches.batch`
ours ahead   the same made ahead of time by two loader threads
decoding     the blocks that ours touches, read through zarr and dropped
reading      the same blocks, read as ours reads them and dropped

Peers that are not installed are left out: pip install tensorstore zarrs.
Prints one JSON document a store, then a table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from scipy.ndimage import zoom

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import RGB_CHANNELS, Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.store import Image, open_image
from stable_tiles.image.writer import create_store
from stable_tiles.region import Region
from stable_tiles.settings import DataSettings, Normalization
from stable_tiles.train.loader import ahead
from stable_tiles.train.patches import Patches
from stable_tiles.train.reader import BlockReader
from stable_tiles.train.schedule import Block, orient

Batch = Callable[[int], Any]


@dataclass
class Spent:
    """What a contender has spent so far."""

    patches: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def rates(self) -> dict[str, float]:
        """Patches by wall clock and by CPU seconds."""
        return {
            "patches_per_second": round(self.patches / self.wall_s, 1),
            "patches_per_cpu_second": round(self.patches / self.cpu_s, 1),
        }


@dataclass(frozen=True)
class Task:
    """One store to read from."""

    name: str
    shape: tuple[int, int, int, int, int]
    dtype: str
    rgb: bool
    patch: int
    chunk: int = 512
    cache_bytes: int = 2**30


@dataclass
class Contender:
    """One way to make batches."""

    name: str
    batches: Callable[[int, int], Iterator[Any]]
    spent: Spent = field(default_factory=Spent)

    def run(self, first: int, count: int, batch: int) -> None:
        """Make `count` batches and drop them."""
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in self.batches(first, count):
            pass
        self.spent.wall_s += time.perf_counter() - wall
        self.spent.cpu_s += time.process_time() - cpu
        self.spent.patches += count * batch


def texture(rng: np.random.Generator, shape: tuple[int, int], dtype: str) -> np.ndarray:
    """Structure of several sizes and noise: it compresses as micrographs do, by a third or so."""
    light = np.zeros(shape, np.float32)
    for step, weight in ((64, 40.0), (16, 25.0), (4, 12.0)):
        coarse = rng.normal(size=[n // step + 2 for n in shape]).astype(np.float32)
        light += weight * zoom(coarse, step, order=1)[: shape[0], : shape[1]]
    light += rng.normal(scale=3.0, size=shape).astype(np.float32)
    scale = 1.0 if dtype == "uint8" else 8.0
    return np.clip(scale * (light + 128), 0, np.iinfo(dtype).max).astype(dtype)


def write(path: Path, task: Task, shard: int) -> None:
    """Write a store region by region; regions repeat a few textures, moved and mirrored."""
    layout = plan_layout(
        task.shape,
        np.dtype(task.dtype).itemsize,
        chunk=task.chunk,
        shard=shard,
        levels=1,
        rgb=task.rgb,
    )
    channels = RGB_CHANNELS if task.rgb else (Channel("light"),)
    named = tuple(c if isinstance(c, Channel) else Channel(*c) for c in channels)
    spec = ImageSpec(Axes.named("tczyx"), layout, task.dtype, named)
    writer = create_store(path, spec, {})
    rng = np.random.default_rng(0)
    side = [min(n, 1024) for n in task.shape[3:]]
    cells = [texture(rng, (side[0] + 64, side[1] + 64), task.dtype) for _ in range(6)]
    for region in layout.regions():
        t, z, high, wide = region.shape
        block = np.empty((t, task.shape[1], z, high, wide), task.dtype)
        for index in np.ndindex(t, task.shape[1], z, -(-high // side[0]), -(-wide // side[1])):
            i, c, k, row, column = index
            target = block[i, c, k, row * side[0] :, column * side[1] :][: side[0], : side[1]]
            y, x = rng.integers(0, 64, 2)
            cell = cells[rng.integers(len(cells))][y : y + side[0], x : x + side[1]]
            target[...] = cell[: target.shape[0], : target.shape[1]]
        writer.write(region, block)
    writer.seal(path, {"kind": "source"})


class PlainDataset(torch.utils.data.Dataset[torch.Tensor]):
    """A random patch an index, read on its own."""

    def __init__(self, read: Callable[[tuple[slice, ...]], np.ndarray], task: Task) -> None:
        self.read = read
        self.task = task

    def __len__(self) -> int:
        return 2**40

    def __getitem__(self, index: int) -> torch.Tensor:
        rng = np.random.default_rng(index)
        t, _, z, height, width = self.task.shape
        side = self.task.patch
        i, k = int(rng.integers(t)), int(rng.integers(z))
        y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
        where = (slice(i, i + 1), slice(None), slice(k, k + 1), slice(y, y + side))
        pixels = self.read((*where, slice(x, x + side)))[0, :, 0].astype(np.float32)
        pixels -= 100.0
        pixels /= 100.0
        return torch.from_numpy(np.ascontiguousarray(orient(pixels, int(rng.integers(8)))))


def single_reads(name: str, read: Any, task: Task, batch: int) -> Contender:
    """A contender that reads every patch on its own."""

    def batches(first: int, count: int) -> Iterator[Any]:
        order = range(first * batch, (first + count) * batch)
        return iter(torch.utils.data.DataLoader(PlainDataset(read, task), batch, sampler=order))

    return Contender(name, batches)


def zarr_reader(image: Image) -> Callable[[tuple[slice, ...]], np.ndarray]:
    """What reads level 0 by Zarr, with the pipeline that is set now."""
    array = zarr.open_array(f"{image.path}/0", mode="r")
    return lambda index: np.asarray(array[index])


def peers(image: Image, task: Task, batch: int) -> Iterator[Contender]:
    """Those that are installed."""
    with suppress(ImportError):
        import zarrs  # noqa: F401  # registers its pipeline

        with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
            reader = zarr_reader(image)
        yield single_reads("zarrs", reader, task, batch)
    with suppress(ImportError):
        import tensorstore

        kvstore = {"driver": "file", "path": f"{image.path}/0"}
        store = tensorstore.open({"driver": "zarr3", "kvstore": kvstore}).result()
        yield single_reads("tensorstore", lambda i: store[i].read().result(), task, batch)


def ours(patches: Patches, workers: int, name: str, peak: list[int]) -> Contender:
    """Our patches; `peak` learns the most bytes that the cache held."""

    def batches(first: int, count: int) -> Iterator[Any]:
        for made in ahead(patches.batch, range(first, first + count), workers):
            peak[0] = max(peak[0], patches.cache.bytes)
            yield torch.from_numpy(made)

    return Contender(name, batches)


def zarr_blocks(image: Image) -> Callable[[Block], np.ndarray]:
    """What reads blocks by Zarr."""
    array = image.levels[0].array

    def read(block: Block) -> np.ndarray:
        t, z = divmod(block.plane, image.shape[2])
        y, x = Region(block.start, block.stop).slices
        return np.asarray(array[t : t + 1, :, z : z + 1, y, x])

    return read


def direct_blocks(image: Image) -> Callable[[Block], np.ndarray]:
    """What reads blocks as ours does."""
    reader = BlockReader(image, 0)
    return lambda block: reader.read(
        divmod(block.plane, image.shape[2]), Region(block.start, block.stop)
    )


def decoding(
    name: str, read: Callable[[Block], np.ndarray], patches: Patches
) -> tuple[Contender, list[int]]:
    """The blocks of our patches, each read once; counts them and their bytes."""
    seen, counted = set(), [0, 0]
    batch = patches.batch_size

    def batches(first: int, count: int) -> Iterator[Any]:
        for index in range(first * batch, (first + count) * batch):
            block = patches.schedule.cut(index).block
            if block in seen:
                continue
            seen.add(block)
            pixels = read(block)
            counted[0] += 1
            counted[1] += pixels.nbytes
            yield pixels

    return Contender(name, batches), counted


def compare(path: Path, task: Task, asked: argparse.Namespace) -> dict[str, Any]:
    """All contenders on one store."""
    image = open_image(path)
    data = DataSettings(
        patch=task.patch,
        batch=asked.batch,
        cache_bytes=task.cache_bytes,
        normalize=Normalization(kind="range", low=100, high=200),
    )
    peak = [0]
    alone, threads = (Patches([image], data, (0, i)) for i in range(2))
    decoder, counted = decoding("decoding", zarr_blocks(image), alone)
    direct, _ = decoding("reading", direct_blocks(image), alone)
    contenders = [
        single_reads("plain", zarr_reader(image), task, asked.batch),
        *peers(image, task, asked.batch),
        ours(alone, 0, "ours", peak),
        ours(threads, 2, "ours ahead", peak),
        decoder,
        direct,
    ]
    count = max(1, asked.patches // asked.batch)
    for contender in contenders:
        contender.run(0, 2, asked.batch)  # warm: imports, threads, caches of the file system
        contender.spent = Spent()
    for number in range(asked.rounds):
        for contender in contenders:
            contender.run(2 + number * count, count, asked.batch)
    rates = {contender.name: contender.spent.rates() for contender in contenders}
    served = (2 + asked.rounds * count) * asked.batch
    return {
        "store": path.name,
        "shape": task.shape,
        "dtype": task.dtype,
        "patch": task.patch,
        "rates": rates,
        **{key: ratios(rates, key) for key in rates["plain"]},
        "reuse": round(served / counted[0], 2),
        "decoded_bytes_by_patch_bytes": round(
            counted[1] / (served * task.patch**2 * task.shape[1] * image.dtype.itemsize), 3
        ),
        "cache_peak_bytes": peak[0],
        "cache_bytes": task.cache_bytes,
    }


def ratios(rates: dict[str, dict[str, float]], key: str) -> dict[str, float]:
    """Ours by the others."""
    mine = rates["ours"][key]
    known = {"plain", "ours", "ours ahead", "decoding", "reading"}
    others = [rate[key] for name, rate in rates.items() if name not in known]
    found = {"ours_by_plain": mine / rates["plain"][key]}
    if others:
        found["ours_by_best_peer"] = mine / max(others)
    found["ours_by_decoding"] = mine / rates["decoding"][key]
    found["ours_by_reading"] = mine / rates["reading"][key]
    return {name: round(value, 2) for name, value in found.items()}


def main() -> None:
    """Write the stores that are not there yet, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, help="keep the stores here; default: a temporary one"
    )
    parser.add_argument("--size", type=int, default=16384, help="side of the slide")
    parser.add_argument("--frames", type=int, default=2000, help="of the movie of 512 x 512")
    parser.add_argument("--slices", type=int, default=100, help="of the volume of 1024 x 1024")
    parser.add_argument("--patch", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--patches", type=int, default=512, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="part of the names of the stores to read")
    asked = parser.parse_args()
    tasks = [
        Task("slide", (1, 3, 1, asked.size, asked.size), "uint8", True, asked.patch),
        Task("movie", (asked.frames, 1, 1, 512, 512), "uint16", False, asked.patch),
        Task("volume", (1, 1, asked.slices, 1024, 1024), "uint16", False, asked.patch),
    ]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        results = []
        for task in tasks:
            for shard, kind in ((0, "plain"), (4096, "sharded")):
                path = folder / f"{task.name}-{kind}-{'x'.join(map(str, task.shape))}.zarr"
                if asked.only not in path.name:
                    continue
                if not path.exists():
                    write(path, task, shard)
                results.append(compare(path, task, asked))
                print(json.dumps(results[-1]), flush=True)
    for result in results:
        names = ("ours_by_plain", "ours_by_best_peer", "ours_by_decoding", "ours_by_reading")
        figures = [result["patches_per_cpu_second"].get(name, "-") for name in names]
        print(f"{result['store']:45} by CPU second: {figures}  reuse {result['reuse']}")


if __name__ == "__main__":
    main()
