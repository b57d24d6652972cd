"""One contestant of `translate.py`, in a process of its own: reads a store, writes a store.

    python benchmarks/contestants.py NAME FOLDER THREADS TILE

FOLDER holds ``a.zarr`` and ``run``.  Prints one JSON document: seconds, peak
memory, and the difference to the reference.  Exit code 3: not installed.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import types
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from torch import Tensor

from stable_tiles.image.store import open_image
from stable_tiles.model import Model, load_model
from stable_tiles.region import Region
from stable_tiles.translate.lanes import Lanes
from stable_tiles.translate.memory import use_one_arena
from stable_tiles.translate.options import Hardware, TranslateOptions
from stable_tiles.translate.prepare import prepare
from stable_tiles.translate.verb import translate
from stable_tiles.usage import peak_rss_bytes

WINDOW = 512
"""Side of a window that is compared with the reference, pixels."""


class Scene:
    """The store, the model, and where to write.

    Parameters
    ----------
    folder : Path
        Of `translate.py`.
    threads, tile : int
        CPU threads, and the side of a tile that a user would choose, pixels.
    """

    def __init__(self, folder: Path, threads: int, tile: int) -> None:
        self.folder, self.threads, self.tile = folder, threads, tile
        self.source = folder / "a.zarr"
        self.model: Model = load_model(folder / "run")
        stride, reach = self.model.stride, self.model.reach("a2b") or 0
        self.halo = -(-reach // stride) * stride

    @property
    def options(self) -> TranslateOptions:
        """What we are told: nothing but where the model is."""
        hardware = Hardware(gpus=0)
        return TranslateOptions(model=self.folder / "run", overwrite=True, hardware=hardware)

    def network(self, planes: Tensor) -> Tensor:
        """Planes (n, c, y, x) in 0..1 of one domain to the other."""
        with torch.no_grad():
            return self.model.network.translate(planes, "a2b")

    def level(self) -> Any:
        """The stored pixels (c, y, x), lazily."""
        return zarr.open_array(self.source / "0", mode="r")

    def target(self, name: str) -> Any:
        """A new array like level 0, chunks of 512 pixels with all channels, zstd."""
        level = self.level()
        return zarr.create_array(
            self.folder / f"{name}.zarr", shape=level.shape, chunks=(3, 512, 512), dtype="uint8",
            compressors=zarr.codecs.ZstdCodec(level=1, checksum=True), overwrite=True,
        )  # fmt: skip


def as_units(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Pixels of 8 bits in 0..1."""
    return pixels.astype(np.float32) / np.float32(255)


def as_pixels(units: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Units as pixels of 8 bits."""
    return np.clip(np.rint(units * np.float32(255)), 0, 255).astype(np.uint8)


def ours(scene: Scene) -> Any:
    """Reads, translates, builds the pyramid, writes."""
    translate(scene.source, scene.folder / "ours.zarr", scene.options)
    return zarr.open_array(scene.folder / "ours.zarr" / "0", mode="r")


def bare(scene: Scene) -> Any:
    """The network over our tiles, and nothing else; they hold noise."""
    from stable_tiles.translate.forward import TileNetwork

    work = prepare(scene.source, scene.folder / "bare.zarr", scene.options)
    forward, cut = work.job.forward, work.job.cut
    tiles = TileNetwork(work.model, "a2b", forward)
    each = max(1, scene.threads // forward.lanes)
    lanes = Lanes(forward.lanes, lambda: torch.set_num_threads(each))
    passes: list[tuple[Callable[[Tensor, Region], Tensor], int, Region]] = []
    for region in work.plan.regions:
        plane, first = cut.plane(region), cut.first_grid(region)
        if first is None:
            passes += [(tiles.translate, 3, tile.read) for tile in cut.grid.tiles(plane)]
            continue
        passes += [(tiles.encode, 3, t.read) for t in first.tiles(cut.grid.reads(plane))]
        features = tiles.features
        passes += [(tiles.decode, features, tile.read) for tile in cut.grid.tiles(plane)]
    noise = {count: torch.rand(1, count, *cut.grid.largest) for count in {3, tiles.features}}

    def forwarded(one: tuple[Callable[[Tensor, Region], Tensor], int, Region]) -> None:
        network, count, area = one
        height, width = area.shape
        planes = torch.nn.functional.interpolate(noise[count], (height, width))
        network(planes, area)

    began = time.perf_counter()
    for _ in lanes.map(forwarded, passes):
        pass
    scene.seconds = time.perf_counter() - began  # type: ignore[attr-defined]  # of this alone
    return None


def monai(scene: Scene, overlap: float, mode: str) -> Any:
    """Sliding windows over the whole plane in memory."""
    from monai.inferers import sliding_window_inference

    planes = torch.from_numpy(as_units(scene.level()[...]))[None]
    made = sliding_window_inference(
        planes, (scene.tile, scene.tile), 1, scene.network, overlap=overlap, mode=mode
    )
    target = scene.target("monai")
    target[...] = as_pixels(made[0].numpy())
    return target


def torch_em(scene: Scene) -> Any:
    """Blocks with a halo of the whole reach, read, predicted and written by threads."""
    target = scene.target("torch-em")

    def network(_: object, planes: Tensor) -> Tensor:
        return scene.network(planes)

    core = (scene.tile - 2 * scene.halo) // 512 * 512 or scene.tile - 2 * scene.halo
    _torch_em_prediction().predict_with_halo_pipelined(
        scene.level(), scene.model.network, ["cpu"], (core, core), (scene.halo, scene.halo),
        output=target, preprocess=as_units, postprocess=as_pixels, with_channels=True,
        disable_tqdm=True, prediction_function=network,
    )  # fmt: skip
    return target


def dask(scene: Scene) -> Any:
    """map_overlap with the whole reach, one thread a worker."""
    import dask as dask_package
    import dask.array as da

    torch.set_num_threads(1)
    core = scene.tile - 2 * scene.halo

    def made(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return as_pixels(scene.network(torch.from_numpy(as_units(block))[None])[0].numpy())

    target = scene.target("dask")
    core = core // 512 * 512 or core
    with dask_package.config.set(scheduler="threads", num_workers=scene.threads):
        blocks = da.from_zarr(scene.level()).rechunk((3, core, core))
        depth = {0: 0, 1: scene.halo, 2: scene.halo}
        result = da.map_overlap(made, blocks, depth=depth, boundary="none", dtype=np.uint8)
        da.store(result, target, lock=False)
    return target


def _torch_em_prediction() -> Any:
    """Its prediction module alone: the rest of the package wants a torchvision that fits torch."""
    if importlib.util.find_spec("torch_em") is None:
        raise ModuleNotFoundError("torch_em")
    for name in ("torch_em", "torch_em.util"):
        spec = importlib.util.find_spec(name)
        package = types.ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations or ()) if spec else []
        sys.modules[name] = package
    raw = types.ModuleType("torch_em.transform.raw")
    raw.standardize = None  # type: ignore[attr-defined]  # its default for what we give
    sys.modules["torch_em.transform"] = types.ModuleType("torch_em.transform")
    sys.modules["torch_em.transform.raw"] = raw
    return import_module("torch_em.util.prediction")


def difference(scene: Scene, made: Any) -> dict[str, float]:
    """How far windows of the output are from one forward pass, in levels of 8 bits."""
    image, worst, total, count = open_image(scene.source), 0.0, 0.0, 0
    size = image.shape[3]
    whole = Region.whole((size, size))
    for start in sorted({0, (size // 2 - WINDOW // 2) // 8 * 8, max(0, size - WINDOW)}):
        window = Region((start, start), (min(size, start + WINDOW),) * 2)
        seen = window.expand(scene.halo + 8, whole)
        rows, columns = seen.slices
        units = scene.network(torch.from_numpy(as_units(scene.level()[:, rows, columns]))[None])
        y, x = window.relative_to(seen.start).slices
        wanted = as_pixels(units[0, :, y, x].numpy()).astype(int)
        got = made[:, window.slices[0], window.slices[1]].astype(int)
        error = np.abs(got - wanted)
        worst, total, count = max(worst, float(error.max())), total + error.sum(), count + got.size
    return {"largest": worst, "mean": float(total / count)}


CONTESTANTS: dict[str, Callable[[Scene], Any]] = {
    "ours": ours,
    "bare": bare,
    "monai-0.25": lambda scene: monai(scene, 0.25, "constant"),
    "monai-0.25-gaussian": lambda scene: monai(scene, 0.25, "gaussian"),
    "monai-0.5-gaussian": lambda scene: monai(scene, 0.5, "gaussian"),
    "torch-em": torch_em,
    "dask": dask,
}


def main() -> None:
    """Run one contestant and say what it took."""
    name, folder, threads, tile = sys.argv[1:]
    scene = Scene(Path(folder), int(threads), int(tile))
    torch.set_num_threads(scene.threads)
    if name in {"ours", "bare"}:
        use_one_arena()  # as `translate` does before any thread has started
    else:
        scene.network(torch.rand(1, 3, 64, 64))
    began = time.perf_counter()
    try:
        made = CONTESTANTS[name](scene)
    except ModuleNotFoundError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
    seconds = getattr(scene, "seconds", time.perf_counter() - began)
    result = {"seconds": seconds, "peak_rss_bytes": peak_rss_bytes()}
    if made is not None:
        result["difference"] = difference(scene, made)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
