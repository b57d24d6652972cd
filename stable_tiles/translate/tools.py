"""Tools: what a process opens once for a translation, and how many regions may use it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore, Lock

import torch

from stable_tiles.errors import ModelError
from stable_tiles.image.store import Image, open_image
from stable_tiles.image.writer import ImageWriter, unfinished_store
from stable_tiles.ledger import Ledger
from stable_tiles.model import load_model
from stable_tiles.remote.patience import stop_waiting
from stable_tiles.translate.cost import worker_bytes
from stable_tiles.translate.forward import TileNetwork
from stable_tiles.translate.job import Job
from stable_tiles.translate.lanes import Lanes
from stable_tiles.translate.memory import Allowance, give_back_memory
from stable_tiles.translate.reader import Reader

DEPTH = 3
"""Regions in work at a time in one process: one read, one in the network, one written."""

_JOBS = 2
"""Jobs whose tools a process keeps: one that ends and the next."""


@dataclass(frozen=True)
class Stages:
    """Gates that a region passes one after the other, which bounds a process's memory.

    The network is passed on when a region's last tiles are told to the lanes:
    the next one's first fill what they leave idle.
    """

    admitted: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(DEPTH))
    reading: BoundedSemaphore = field(default_factory=BoundedSemaphore)
    network: BoundedSemaphore = field(default_factory=BoundedSemaphore)
    writing: BoundedSemaphore = field(default_factory=BoundedSemaphore)


@dataclass(frozen=True)
class Engine:
    """A network on this process's device, and who may use it when; serves several jobs.

    Parameters
    ----------
    tiles : TileNetwork
        The network.
    lanes : Lanes
        Threads that run it.
    stages : Stages
        How many regions may be where.
    allowance : Allowance
        Memory that this process may take.
    threads_before : int
        Threads that PyTorch had in this process before.
    """

    tiles: TileNetwork
    lanes: Lanes
    stages: Stages
    allowance: Allowance
    threads_before: int

    @classmethod
    def start(cls, job: Job) -> Engine:
        """Load the model of a job.

        Raises
        ------
        ModelError
            If the model is another than when the work was planned.
        """
        threads = job.forward.threads or _granted_threads()
        lanes = max(1, min(job.forward.lanes, threads))
        each = partial(torch.set_num_threads, max(1, threads // lanes))
        before = torch.get_num_threads()
        each()
        model = load_model(Path(job.model))
        if model.digest != job.digest:
            raise ModelError(
                f"{job.model} changed since the work began: start again with --overwrite"
            )
        allowance = Allowance(0)
        tiles = TileNetwork(model, job.direction, job.forward, allowance)
        return cls(tiles, Lanes(lanes, each), Stages(), allowance, before)

    def stop(self) -> None:
        """Stop the network at its next layer and end the lanes."""
        self.tiles.stop()
        self.lanes.close()
        torch.set_num_threads(self.threads_before)


@dataclass(frozen=True)
class Tools:
    """What a process opens once for a job and uses for every region.

    Parameters
    ----------
    image : Image
        The source.
    reader : Reader
        The same, for whole regions, one at a time.
    writer, errors : ImageWriter
        Of the output, and of the companion image if any.
    ledger : Ledger
        Where receipts go.
    tiles : TileNetwork
        The network, which may have been told the statistics of a plane.
    engine : Engine
        Whose network it is.
    """

    image: Image
    reader: Reader
    writer: ImageWriter
    errors: ImageWriter | None
    ledger: Ledger
    tiles: TileNetwork
    engine: Engine


class _Shelf:
    """The engine of this process, and the tools of the jobs that it does.

    Jobs follow one another: while the last regions of one are in work, the
    first of the next begin.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._engine: tuple[tuple[object, ...], Engine] | None = None
        self._tools: deque[tuple[Job, Tools]] = deque(maxlen=_JOBS)

    def take(self, job: Job) -> Tools:
        """The tools for a job, opened when they are first asked for."""
        with self._lock:
            for known, tools in self._tools:
                if known is job or known == job:
                    return tools
            tools = _open(job, self._started(job))
            self._tools.append((job, tools))
            return tools

    def clear(self) -> None:
        """Put everything away."""
        with self._lock:
            self._drop()

    def _started(self, job: Job) -> Engine:
        key = (job.model, job.digest, job.direction, job.forward)
        if self._engine is None or self._engine[0] != key:
            self._drop()
            self._engine = key, Engine.start(job)
        return self._engine[1]

    def _drop(self) -> None:
        self._tools.clear()
        if self._engine is not None:
            self._engine[1].stop()
            self._engine = None


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
    stop_waiting()
    _SHELF.clear()
    give_back_memory()


def _open(job: Job, engine: Engine) -> Tools:
    errors = None
    if job.errors:
        errors = ImageWriter(unfinished_store(job.error_target), job.errors)
    image = open_image(job.source)
    # A layer begins below the limit and may take more: an eighth is left to it.
    predicted = worker_bytes(job, image, engine.tiles.settings)
    engine.allowance.raise_to(predicted * 7 // 8)
    return Tools(
        image,
        Reader(image, job.channels, job.cut, job.regions),
        ImageWriter(job.store, job.spec),
        errors,
        Ledger(job.folder),
        engine.tiles,
        engine,
    )


def _granted_threads() -> int:
    """The threads that a running cluster gave to this worker."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)
