"""Stream: orders to the workers of a cluster, a few at a time, and what came of each.

Only descriptions of regions travel to workers and only receipts come back;
pixels never pass through the scheduler.  A few regions for each worker are in
flight, so that a plan of any size costs the scheduler nothing.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import groupby, islice
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import Any
from zlib import compress, decompress

from distributed.scheduler import KilledWorker

from stable_tiles.errors import first_line
from stable_tiles.region import Region
from stable_tiles.translate.execute import BEAT_S, Numbered, Order, Outcome, Shares, Task
from stable_tiles.translate.job import Job
from stable_tiles.translate.task import Failure
from stable_tiles.translate.tools import DEPTH

WINDOW = DEPTH + 1
"""Regions in flight for each worker: those in work, and the next."""

_DEADLY = "its worker died each time, perhaps for lack of memory: --tile"


class Stream:
    """The workers of a cluster, as a crew.

    Parameters
    ----------
    client : Client
        Connected to the cluster.
    fixed : bool
        Whether its workers are known and stay.
    """

    def __init__(self, client: Any, *, fixed: bool) -> None:
        self._client, self._fixed = client, fixed

    def __call__(
        self, task: Task[Outcome], orders: Numbered[Order], /
    ) -> Iterator[tuple[Job, Outcome | Failure] | None]:
        """Do a task for all orders.

        A region whose worker died again and again is tried once more with
        nothing beside it: it may have been another one that ended the worker.
        """
        suspects: list[Order] = []
        for made in self._flow(task, orders):
            if made and isinstance(made[1], Failure) and made[1].reason == _DEADLY:
                suspects.append((made[0], made[1].region))
            else:
                yield made
        for order in suspects:
            yield from self._flow(task, [order])

    def _flow(
        self, task: Task[Outcome], orders: Numbered[Order]
    ) -> Iterator[tuple[Job, Outcome | Failure] | None]:
        finished: SimpleQueue[Any] = SimpleQueue()
        rooms = _Rooms(self._client, self._fixed)
        shares = Shares(orders, list(rooms.free))
        pending: dict[Any, tuple[Order, str]] = {}
        packed = _Packed()
        while True:
            rooms.look(len(pending))
            for worker, room in rooms.free.items():
                taken = list(islice(iter(partial(shares.next, worker), None), max(0, room)))
                for job, group in groupby(taken, key=itemgetter(0)):
                    regions = [region for _, region in group]
                    for future, region in self._sent(worker, task, packed.of(job), regions):
                        pending[future] = (job, region), worker
                        future.add_done_callback(finished.put)
                rooms.free[worker] -= len(taken)
            if not pending:
                return
            ended = _ended(finished)
            if not ended:
                yield None
            for future in ended:
                (job, region), worker = pending.pop(future)
                rooms.free[worker] += 1
                yield job, _result(future, region)

    def _sent(
        self, worker: str, task: Task[Outcome], packed: bytes, regions: list[Region]
    ) -> Iterator[tuple[Any, Region]]:
        """Regions on their way to a worker, or to whoever is free."""
        where = {"workers": [worker], "allow_other_workers": True} if worker else {}
        futures = self._client.map(
            _unpack_and, regions, task=task, packed=packed, pure=False, **where
        )
        return zip(futures, regions, strict=True)


class _Rooms:
    """How many more regions may be in flight, for each worker, or for all together ("")."""

    def __init__(self, client: Any, fixed: bool) -> None:
        self._client, self._looked = client, -BEAT_S
        known = list(client.nthreads()) if fixed else []
        self.free = dict.fromkeys(known, WINDOW) or {"": 0}

    def look(self, pending: int) -> None:
        """Count the workers of a cluster that come and go, now and then."""
        now = time.monotonic()
        if "" in self.free and now >= self._looked + BEAT_S:
            self._looked = now
            self.free[""] = WINDOW * max(1, len(self._client.nthreads())) - pending


class _Packed:
    """A job as workers are sent it with each region; packed once."""

    def __init__(self) -> None:
        self._job: Job | None = None
        self._bytes = b""

    def of(self, job: Job) -> bytes:
        """The job's bytes."""
        if job is not self._job or not self._bytes:
            self._job, self._bytes = job, compress(pickle.dumps(job), 1)
        return self._bytes


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> Job:
    job: Job = pickle.loads(decompress(packed))
    return job


def _unpack_and(region: Region, task: Task[Outcome], packed: bytes) -> Outcome | Failure:
    """Do a task, on a worker."""
    return task(_unpacked(packed), region)


def _ended(finished: SimpleQueue[Any]) -> list[Any]:
    """What has finished, waited for at most a beat."""
    try:
        first = finished.get(timeout=BEAT_S)
    except Empty:
        return []
    return [first, *(finished.get() for _ in range(finished.qsize()))]


def _result(future: Any, region: Region) -> Any:
    try:
        error = None if future.status == "finished" else future.exception()
        if error is None:
            return future.result()
    except KilledWorker as lost:  # with what it had finished, and again when that was repeated
        error = lost
    if isinstance(error, KilledWorker):
        return Failure(region, _DEADLY)
    return Failure(region, f"{type(error).__name__}: {first_line(error)}")
