"""Peak memory of `translate` on planes of growing size, and with a slow store.

    python benchmarks/memory.py --sizes 8192 65536
    python benchmarks/memory.py --sizes 4096 --delay 0.05

The source costs no disk: its chunks are missing and read as one value, and what
becomes of it compresses to almost nothing.  The network has random weights and is
tiny, so that a large plane takes minutes; the tile is the same for all sizes.
`--delay` makes every access to a chunk wait that many seconds, which a bounded
pipeline must not answer with memory.  Prints one JSON document: for each size
and number of workers the sum and the largest of the peaks of all processes, and
the ratio of the last size to the first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import zarr
from scenes import NAMES, eight_bits, save_random
from zarr.storage import LocalStore

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import RGB_COLORS, Channel, Multiscale, describe
from stable_tiles.image.spec import ImageSpec
from stable_tiles.settings import NetworkSettings
from stable_tiles.translate.options import Hardware, TranslateOptions
from stable_tiles.translate.verb import translate


def make_sparse_store(path: Path, size: int) -> None:
    """A colour plane without a single chunk."""
    layout = plan_layout((1, 3, 1, size, size), 1, rgb=True, levels=1)
    channels = tuple(Channel(*pair) for pair in zip(NAMES, RGB_COLORS, strict=True))
    spec = ImageSpec(Axes.named("cyx"), layout, "uint8", channels)
    group = zarr.open_group(path, mode="w")
    level = layout.levels[0]
    project = spec.axes.project
    group.create_array(
        "0", shape=project(level.shape), chunks=project(level.chunks),
        shards=project(level.shards or level.chunks), dtype="uint8", fill_value=100,
        dimension_names=list(spec.axes.names),
    )  # fmt: skip
    image = Multiscale("0.5", spec.axes, ("0",), (), channels, False)
    window = {"min": 0.0, "max": 255.0, "start": 0.0, "end": 255.0}
    group.attrs.put(describe(image, "sparse", [window] * 3))


def make_tiny_model(folder: Path, widths: tuple[int, ...]) -> None:
    """A network as cheap as they come, so that the largest plane takes minutes."""
    settings = NetworkSettings(widths=widths, features=1, norm="none", upsampling="bilinear")
    save_random(folder, settings, dict.fromkeys("ab", eight_bits(NAMES, RGB_COLORS)))


def make_slow(delay_s: float) -> None:
    """Let every access to a chunk of a local store wait."""
    for name in ("get", "set"):
        plain = getattr(LocalStore, name)

        async def slow(store: Any, key: str, *rest: Any, _plain: Any = plain, **named: Any) -> Any:
            if "/c/" in key:
                await asyncio.sleep(delay_s)
            return await _plain(store, key, *rest, **named)

        setattr(LocalStore, name, slow)


def measured(folder: Path, size: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Translate one plane; in a process of its own, whose peak is then that of this plane."""
    if asked.delay:
        make_slow(asked.delay)
    hardware = Hardware(gpus=0, workers=asked.workers)
    options = TranslateOptions(model=folder / "run", tile=asked.tile, hardware=hardware)
    report = translate(folder / f"{size}.zarr", folder / f"{size}.out.zarr", options)
    kept = ("peak_rss_bytes", "memory_bytes", "seconds", "megapixels_per_second", "regions")
    return {"size": size, "delay": asked.delay, **{name: getattr(report, name) for name in kept}}


def _tile(word: str) -> int | str:
    return word if word == "auto" else int(word)


def main() -> None:
    """Measure each size and print."""
    parser = argparse.ArgumentParser(description="Peak memory of translate.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8192, 65536])
    parser.add_argument(
        "--tile", type=_tile, default="auto", help="side in pixels; auto is the default's"
    )
    parser.add_argument("--widths", default="2,2")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds for each chunk")
    asked = parser.parse_args()
    rows = []
    context = multiprocessing.get_context("spawn")
    for size in asked.sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_tiny_model(folder / "run", tuple(map(int, asked.widths.split(","))))
            make_sparse_store(folder / f"{size}.zarr", size)
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                rows.append(pool.submit(measured, folder, size, asked).result())
    ratio = rows[-1]["peak_rss_bytes"] / rows[0]["peak_rss_bytes"]
    kept = ("widths", "tile", "workers", "delay")
    print(json.dumps({**{k: getattr(asked, k) for k in kept}, "rows": rows, "peak_ratio": ratio}))


if __name__ == "__main__":
    main()
