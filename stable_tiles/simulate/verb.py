"""The verb ``simulate``: a data set with known truth, whole or not at all."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path

import numpy as np

from stable_tiles.errors import InputError, Interrupted, OutputExists
from stable_tiles.image.store import PARTIAL
from stable_tiles.progress import Progress, silent
from stable_tiles.simulate.plan import Output, SimulateOptions, plan
from stable_tiles.simulate.scene import BLOCK
from stable_tiles.simulate.tasks import load_task
from stable_tiles.simulate.write import layout_of, provenance, write_store, write_tiff

RECORD = "simulation.json"
"""File beside the images that says what made them."""

_BASE_BYTES = 200 * 2**20
"""Memory of the program itself."""

_COPIES = 5
"""Copies of a region that exist at once: in the making, rendered, halved, encoded, written."""


@dataclass(frozen=True)
class SimulateReport:
    """What was written, or with `dry_run` would be.

    `shape` and `axes` are those of the training images of domain A;
    `bytes_raw` counts the pixels of all images at full resolution, `bytes_out`
    the files (0 for a dry run).
    """

    output: str
    task: str
    seed: int
    format: str
    dry_run: bool
    train_images: int
    test_images: int
    labels: list[str]
    shape: list[int]
    axes: str
    dtype: str
    bytes_raw: int
    bytes_out: int
    memory_bytes: int
    seconds: float


def simulate(
    task: str,
    out: str | Path,
    options: SimulateOptions | None = None,
    progress: Progress = silent,
) -> SimulateReport:
    """Write a simulated data set.

    ``out/train/A`` and ``out/train/B`` hold ``options.count`` unpaired images
    each, ``out/test/A`` and ``out/test/B`` a quarter as many (at least one)
    paired by name, ``out/test/labels`` the numbers of their cells where there
    are any (calcium: whole cells, with the nuclei in ``out/test/nuclei``; dapi,
    he and planaria: nuclei).  A name and a seed always give the same pixels;
    `out` appears when it is whole.

    Parameters
    ----------
    task : str
        One of `TASKS`.
    out : str or Path
        Folder to write.
    options : SimulateOptions
        Size, number, seed, ...
    progress : Progress
        Told of regions.

    Raises
    ------
    InputError
        If the task is unknown, an option does not suit it, or the disk is too small.
    OutputExists
        If `out` is not an empty folder, unless it may be overwritten.
    Interrupted
        On SIGINT or SIGTERM; nothing is left then.
    """
    options = options or SimulateOptions()
    started = time.monotonic()
    target = Path(out).resolve()
    outputs = plan(load_task(task), options)
    _refuse(target, options, outputs)
    if not options.dry_run:
        folder = target.with_name(target.name + PARTIAL)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _write_all(outputs, folder / "data", options, progress)
            _move(folder, target)
        except KeyboardInterrupt as error:
            raise Interrupted(
                f"interrupted: nothing of {target} was kept, run the same command again"
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return _report(target, options, outputs, time.monotonic() - started)


def _refuse(target: Path, options: SimulateOptions, outputs: Sequence[Output]) -> None:
    """Refuse what would destroy something, or would not fit."""
    found = sorted(p.name for p in target.iterdir()) if target.is_dir() else []
    if target.exists() and not target.is_dir():
        raise OutputExists(f"{target} is a file: give the name of a folder")
    if found and not options.overwrite:
        raise OutputExists(f"{target} is not empty: give another name, or --overwrite")
    foreign = [name for name in found if name not in ("train", "test", RECORD)]
    if foreign:
        raise OutputExists(
            f"{target} holds {foreign[0]}, which simulate did not write: give another name"
        )
    parent = next(p for p in target.absolute().parents if p.exists())
    free, needed = shutil.disk_usage(parent).free, sum(output.raw_bytes for output in outputs)
    if needed > free and not options.dry_run:
        raise InputError(
            f"{target} needs up to {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free: "
            "use a smaller --size or --count"
        )


def _write_all(
    outputs: Sequence[Output], folder: Path, options: SimulateOptions, progress: Progress
) -> None:
    steps = [_steps(output, options) for output in outputs]
    total, finished = sum(steps), 0

    def done() -> None:
        nonlocal finished
        finished += 1
        progress("regions", finished, total)

    write = _writer(options)
    for output in outputs:
        path = folder / output.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write(output, path, done)
    first = provenance(outputs[0])
    record = {key: first[key] for key in ("version", "task", "seed", "parameters")}
    record |= {"images": [str(output.path) for output in outputs]}
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _writer(options: SimulateOptions) -> Callable[[Output, Path, Callable[[], None]], None]:
    return write_store if options.file_format == "zarr" else write_tiff


def _steps(output: Output, options: SimulateOptions) -> int:
    """How often a writer reports: once a region, or once a tile of a TIFF."""
    if options.file_format == "zarr":
        return len(layout_of(output).regions())
    t, c, z, y, x = output.shape
    tiles = ceil(y / BLOCK) * ceil(x / BLOCK)
    return t * z * tiles * (1 if output.picture.is_rgb else c)


def _move(folder: Path, target: Path) -> None:
    """Give the finished data set its name; what had it before comes back if that fails."""
    replaced = folder / "replaced"
    if target.exists():
        target.rename(replaced)
    try:
        (folder / "data").rename(target)
    except OSError:
        if replaced.exists():
            replaced.rename(target)
        raise


def _report(
    target: Path, options: SimulateOptions, outputs: Sequence[Output], seconds: float
) -> SimulateReport:
    first = outputs[0]
    files = () if options.dry_run else target.rglob("*")
    return SimulateReport(
        output=str(target),
        task=first.scene.task.name,
        seed=options.seed,
        format=options.file_format,
        dry_run=options.dry_run,
        train_images=options.count,
        test_images=options.test_count,
        labels=sorted({str(o.path.parent) for o in outputs if o.picture.is_label}),
        shape=list(first.axes.project(first.shape)),
        axes=first.axes.names,
        dtype=first.picture.dtype,
        bytes_raw=sum(output.raw_bytes for output in outputs),
        bytes_out=sum(file.stat().st_size for file in files if file.is_file()),
        memory_bytes=_BASE_BYTES + _COPIES * max(_region_bytes(output) for output in outputs),
        seconds=round(seconds, 3),
    )


def _region_bytes(output: Output) -> int:
    pixels: int = prod(layout_of(output).region_shape)
    return pixels * output.shape[1] * np.dtype(output.picture.dtype).itemsize
