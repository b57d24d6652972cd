"""Task: make one region of the output; the same region gives the same bytes, however often.

Reads what the region's tiles need, passes them through the network one by one,
crops or blends, writes whole shards, and only then its receipt.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stable_tiles.errors import ModelError, StableTilesError, first_line
from stable_tiles.image.store import Image, open_image
from stable_tiles.image.writer import ImageWriter, partial_folder
from stable_tiles.ledger import Ledger, Receipt
from stable_tiles.model import load_model
from stable_tiles.region import Region
from stable_tiles.translate.forward import TileNetwork
from stable_tiles.translate.job import ERROR_CHANNELS, STORE, Job
from stable_tiles.translate.memory import peak_rss_bytes, process_name
from stable_tiles.translate.render import Canvas, Renderer, Sheet

TRIES = 3
"""How often a region is tried when reading or writing fails."""

_opening = Lock()


@dataclass(frozen=True)
class Failure:
    """A region that could not be made, and why, in one line."""

    region: Region
    reason: str


def make_region(job: Job, region: Region) -> Receipt | Failure:
    """Write a region (t, z, y, x) of the output, and its receipt after it.

    Failures of reading and writing are tried again; what remains comes back as
    a value, so that one region cannot stop the others.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return _make(job, region)
        except (StableTilesError, OSError) as error:
            failure = Failure(region, first_line(error))
            time.sleep(0.1 * attempt)
        except (RuntimeError, ValueError, MemoryError) as error:
            return Failure(region, f"{type(error).__name__}: {first_line(error)}")
    return failure


def _make(job: Job, region: Region) -> Receipt:
    began = time.perf_counter()
    with _opening:
        tools = _open(job)
    before = tools.tiles.seconds
    canvas = _translated(job, tools, region)
    files = _write(job, tools.writer, region, canvas.pixels)
    if tools.errors:
        files += _write(job, tools.errors, region, canvas.errors)
    values = {
        "clipped": canvas.clipped,
        "forward_seconds": tools.tiles.seconds - before,
        "seconds": time.perf_counter() - began,
        "peak_rss_bytes": peak_rss_bytes(),
        "process": process_name(),
    }
    receipt = Receipt.of(region, job.folder, files, values)
    Ledger(job.folder).record(receipt)
    return receipt


def _write(job: Job, writer: ImageWriter, region: Region, planes: npt.NDArray[Any]) -> list[str]:
    """Write a region's planes; returns its files, relative to the job's folder."""
    times, slices = region.shape[:2]
    five = planes.reshape(times, slices, *planes.shape[1:]).transpose(0, 2, 1, 3, 4)
    files = writer.write(region, five)
    return [str((writer.store / file).relative_to(job.folder)) for file in files]


@dataclass(frozen=True)
class _Tools:
    """What a process opens once and uses for every region."""

    image: Image
    writer: ImageWriter
    errors: ImageWriter | None
    tiles: TileNetwork


@lru_cache(maxsize=1)
def _open(job: Job) -> _Tools:
    torch.set_num_threads(job.forward.threads or _granted_threads())
    model = load_model(Path(job.model))
    if model.digest != job.digest:
        raise ModelError(f"{job.model} changed since the work began: start again with --overwrite")
    errors = None
    if job.errors:
        errors = ImageWriter(partial_folder(job.error_target) / STORE, job.errors)
    return _Tools(
        open_image(job.source),
        ImageWriter(job.store, job.spec),
        errors,
        TileNetwork(model, job.direction, job.forward),
    )


def _granted_threads() -> int:
    """The threads that a running cluster gave to this worker."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)


def _translated(job: Job, tools: _Tools, region: Region) -> Canvas:
    """The planes (t * z, c, y, x) of a region."""
    reads = job.cut.reads(region)
    block = tools.image.read(reads, channels=job.channels)
    channels, size = block.shape[1], block.shape[3:]
    planes = block.transpose(0, 2, 1, 3, 4).reshape(-1, channels, *size)
    area = Region(reads.start[2:], reads.stop[2:])
    batch = max(1, job.forward.batch_pixels // job.cut.largest_tile(region))
    parts = [
        _render(job, tools, region, Sheet(planes[first : first + batch], area))
        for first in range(0, len(planes), batch)
    ]
    if len(parts) == 1:
        return parts[0]
    return Canvas(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.errors for part in parts]),
        sum(part.clipped for part in parts),
    )


def _render(job: Job, tools: _Tools, region: Region, sheet: Sheet) -> Canvas:
    """In one pass, or the feature map of all that the last pass reads and then that pass."""
    target, first = job.cut.plane(region), job.cut.first_grid(region)
    channels, intensity = job.spec.layout.shape[1], job.intensity
    if first is None:
        errors = len(ERROR_CHANNELS) if job.errors else 0
        network = tools.tiles.translate_with_errors if errors else tools.tiles.translate
        return Renderer(job.cut.grid, intensity, channels, errors).render(sheet, target, network)
    needed = job.cut.grid.reads(target)
    encoder = Renderer(first, intensity.entering(), tools.tiles.features)
    features = encoder.render(sheet, needed, tools.tiles.encode).pixels
    decoder = Renderer(job.cut.grid, intensity.leaving(), channels)
    return decoder.render(Sheet(features, needed), target, tools.tiles.decode)
