"""Small models with random weights and small stores for the tests of translation."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.store import open_image
from stable_tiles.image.writer import create_store, partial_folder
from stable_tiles.intensity import Normalizer
from stable_tiles.ledger import Ledger
from stable_tiles.model import Domain, Model, load_model
from stable_tiles.networks.translator import Translator
from stable_tiles.region import Region
from stable_tiles.settings import NetworkSettings, Normalization
from stable_tiles.translate.options import Hardware, StoreOptions, TranslateOptions
from stable_tiles.translate.verb import translate

COMMAND = (sys.executable, "-c", "from stable_tiles_cli.main import main; main()", "translate")
"""A translation in a process of its own."""

CUT = ("--chunk", "64", "--shard", "64", "--tile", "160")
"""Regions of 64 pixels a side."""

TINY = NetworkSettings(widths=(4, 8), features=2, norm="batch")
"""A network of stride 2 whose reach is small enough for small images."""

HERE = Hardware(gpus=0, workers=0)
"""Work in the test's own process."""

SMALL = StoreOptions(chunk=64, shard=128)
"""Chunks and shards that give small images several regions."""


def domain(channels: int, dtype: str = "uint8", **changes: Any) -> Domain:
    """A domain of grey or colour images."""
    top = 1.0 if dtype == "float32" else float(np.iinfo(dtype).max)
    made = Domain(
        channels=channels,
        channel_names=tuple(f"c{k}" for k in range(channels)),
        colors=("FFFFFF",) * channels,
        dtype=dtype,
        normalizer=Normalizer((0.0,), (top,)),
        normalization=Normalization(kind="range"),
        pixel_size_um=None,
    )
    return replace(made, **changes)


def save_model(
    folder: Path,
    settings: NetworkSettings = TINY,
    domains: Mapping[str, Domain] | None = None,
    seed: int = 0,
) -> Path:
    """A run with random weights."""
    torch.manual_seed(seed)
    both = dict(domains or {"a": domain(1), "b": domain(1)})
    network = Translator(both["a"].channels, both["b"].channels, settings)
    Model(network, settings, both, {"method": "stable"}).save(folder)
    return folder


def save_image(
    path: Path, pixels: npt.NDArray[Any], axes: str = "tczyx", **scale: float
) -> npt.NDArray[Any]:
    """A store of an array (t, c, z, y, x) with the named axes; returns the array."""
    layout = plan_layout(pixels.shape, pixels.itemsize, chunk=64, shard=128)
    channels = tuple(Channel(f"s{k}") for k in range(pixels.shape[1]))
    units = {name: "second" if name == "t" else "micrometer" for name in axes if name != "c"}
    spec = ImageSpec(Axes.named(axes, scale, units), layout, str(pixels.dtype), channels)
    writer = create_store(path, spec, {})
    for region in layout.regions():
        t, z, y, x = region.slices
        writer.write(region, pixels[t, :, z, y, x])
    writer.seal(path, {"kind": "source", "provenance": {}})
    return pixels


def noise(*shape: int, dtype: str = "uint8", seed: int = 0) -> npt.NDArray[Any]:
    """Smooth random pixels of that shape (t, c, z, y, x)."""
    values = np.random.default_rng(seed).random(shape, np.float32)
    if dtype == "float32":
        return values
    return (values * np.iinfo(dtype).max).astype(dtype)


def options(run: Path, **changes: Any) -> TranslateOptions:
    """Options that work in this process on small shards."""
    return replace(TranslateOptions(model=run, hardware=HERE, store=SMALL), **changes)


def whole_plane(run: Path, planes: npt.NDArray[Any], direction: str = "a2b") -> npt.NDArray[Any]:
    """Planes (n, c, y, x) through the network in one piece, network units in and out."""
    network = load_model(run).network.eval()
    with torch.inference_mode():
        result = network.translate(torch.from_numpy(planes), direction)  # type: ignore[arg-type]  # a literal
    return result.numpy()


def everything(path: Path) -> npt.NDArray[Any]:
    """All pixels (t, c, z, y, x) of a store."""
    image = open_image(path)
    t, _, z, y, x = image.shape
    return image.read(Region.whole((t, z, y, x)))


def made_alone(folder: Path) -> dict[str, bytes]:
    """The files that one process makes of ``a.zarr`` by the model ``run``, cut by `CUT`."""
    chosen = options(folder / "run", tile=160, store=StoreOptions(chunk=64, shard=64))
    translate(folder / "a.zarr", folder / "alone.zarr", chosen)
    return array_files(folder / "alone.zarr")


def array_files(store: Path) -> dict[str, bytes]:
    """All files of the arrays of a store, chunks and metadata, by their paths."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.parent != store
    }


def at_work(process: subprocess.Popen[bytes], target: Path, number: int) -> set[str]:
    """Wait until so many workers have made a region each; their names in the receipts."""
    ledger, names = Ledger(partial_folder(target)), set[str]()
    while len(names) < number:
        assert process.poll() is None
        time.sleep(0.05)
        names = {one.values["process"] for one in ledger.receipts()}
    return names
