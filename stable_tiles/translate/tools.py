"""Tools: what a process opens once for a translation, and how many regions may use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from threading import BoundedSemaphore, Lock

import torch

from stable_tiles.errors import ModelError
from stable_tiles.image.store import Image, open_image
from stable_tiles.image.writer import ImageWriter, partial_folder
from stable_tiles.model import load_model
from stable_tiles.translate.cost import worker_bytes
from stable_tiles.translate.forward import TileNetwork
from stable_tiles.translate.job import STORE, Job
from stable_tiles.translate.lanes import Lanes
from stable_tiles.translate.memory import Allowance, give_back_memory
from stable_tiles.translate.reader import Reader

DEPTH = 3
"""Regions in work at a time in one process: one read, one in the network, one written."""

_IN_NETWORK = 2
"""Regions whose tiles may be in the lanes: the next one's fill what the first one's leave idle."""

@dataclass(frozen=True)
class Stages:
    """Gates that a region passes one after the other, which bounds a process's memory."""

    admitted: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(DEPTH))
    reading: BoundedSemaphore = field(default_factory=BoundedSemaphore)
    network: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_IN_NETWORK))
    writing: BoundedSemaphore = field(default_factory=BoundedSemaphore)
    ranks: Iterator[int] = field(default_factory=count)


@dataclass(frozen=True)
class Tools:
    """What a process opens once and uses for every region.

    Parameters
    ----------
    image : Image
        The source.
    reader : Reader
        The same, for whole regions, one at a time.
    writer, errors : ImageWriter
        Of the output, and of the companion image if any.
    tiles : TileNetwork
        The network.
    lanes : Lanes
        Threads that run it.
    stages : Stages
        How many regions may be where.
    threads_before : int
        Threads that PyTorch had in this process before.
    """

    image: Image
    reader: Reader
    writer: ImageWriter
    errors: ImageWriter | None
    tiles: TileNetwork
    lanes: Lanes
    stages: Stages
    threads_before: int

    def close(self) -> None:
        """Stop the network at its next layer and end the lanes."""
        self.tiles.stop()
        self.lanes.close()
        torch.set_num_threads(self.threads_before)


class _Shelf:
    """The tools of this process: those of one job at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: tuple[Job, Tools] | None = None

    def take(self, job: Job) -> Tools:
        """The tools for a job, opened when they are first asked for."""
        with self._lock:
            if self._held is None or self._held[0] != job:
                self._drop()
                self._held = (job, _open(job))
            return self._held[1]

    def clear(self) -> None:
        """Close what is open."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._held is not None:
            self._held[1].close()
            self._held = None


_SHELF = _Shelf()


def tools_for(job: Job) -> Tools:
    """What this process uses for a job, opened once.

    Raises
    ------
    ModelError
        If the model is another than when the work was planned.
    """
    return _SHELF.take(job)


def put_away() -> None:
    """Stop what this process has under way, close its tools and return their memory."""
    _SHELF.clear()
    give_back_memory()


def _open(job: Job) -> Tools:
    threads = job.forward.threads or _granted_threads()
    lanes = max(1, min(job.forward.lanes, threads))
    each = partial(torch.set_num_threads, max(1, threads // lanes))
    before = torch.get_num_threads()
    each()
    model = load_model(Path(job.model))
    if model.digest != job.digest:
        raise ModelError(f"{job.model} changed since the work began: start again with --overwrite")
    errors = None
    if job.errors:
        errors = ImageWriter(partial_folder(job.error_target) / STORE, job.errors)
    image = open_image(job.source)
    # A layer begins below the limit and may take more: an eighth is left to it.
    allowance = Allowance(worker_bytes(job, image, model.settings) * 7 // 8)
    return Tools(
        image,
        Reader(image, job.channels, job.cut, job.spec.layout.regions()),
        ImageWriter(job.store, job.spec),
        errors,
        TileNetwork(model, job.direction, job.forward, allowance),
        Lanes(lanes, each),
        Stages(),
        before,
    )


def _granted_threads() -> int:
    """The threads that a running cluster gave to this worker."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)
