"""Stream: orders to the workers of a cluster, a few at a time, and what came of each.

Only descriptions of regions travel to workers and only receipts come back;
pixels never pass through the scheduler.  A few regions for each worker are in
flight, so that a plan of any size costs the scheduler nothing; of very short
ones some more, which are sent together, because each message costs a millisecond.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import count, groupby, islice
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple
from uuid import uuid4
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

AHEAD_S = 0.25
"""Work that a worker is sent ahead, where regions are so short that the window is less."""

MOST = 32
"""Regions in flight for each worker, however short."""

FETCH_S = 2.0
"""How long a receipt is waited for, which its worker has at hand; others wait meanwhile."""

_DEADLY = "its worker died each time, perhaps for lack of memory: --tile"


class _Sent(NamedTuple):
    """An order under way, whose it is, and whether the worker with that address is to do it."""

    order: Order
    worker: str
    bound: bool


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
        for made in self._made(task, orders):
            if made and isinstance(made[1], Failure) and made[1].reason == _DEADLY:
                suspects.append((made[0], made[1].region))
            else:
                yield made
        for order in suspects:
            yield from self._made(task, [order])

    def _made(
        self, task: Task[Outcome], orders: Numbered[Order]
    ) -> Iterator[tuple[Job, Outcome | Failure] | None]:
        flight = _Flight(self._client, self._fixed, task, orders)
        while flight.fill():
            ended, lost = flight.ended(), 0
            for future, sent in ended:
                try:
                    yield sent.order[0], _result(future, sent.order[1])
                except TimeoutError:  # who had it is gone or silent
                    flight.take_back(future, sent)
                    lost += 1
            if lost or not ended:
                flight.rescue()
                yield None


class _Flight:
    """The orders under way of one task."""

    def __init__(self, client: Any, fixed: bool, task: Task[Any], orders: Numbered[Order]) -> None:
        self._client, self._task = client, task
        self._rooms = _Rooms(client, fixed)
        self._shares = Shares(orders, list(self._rooms.flying))
        self._pending: dict[Any, _Sent] = {}
        self._finished: SimpleQueue[Any] = SimpleQueue()
        self._packed = _Packed()
        # All in one group: Dask keeps something of every group while there is work.
        self._name, self._numbers = f"region-{uuid4().hex}", count()

    def fill(self) -> bool:
        """Send what there is room for; whether anything is under way."""
        for worker, room in self._rooms.look():
            following = iter(partial(self._shares.next, worker), None)
            taken = list(islice(following, room))
            self._send(taken, worker, bound=bool(worker))
            self._rooms.flying[worker] += len(taken)
        return bool(self._pending)

    def ended(self) -> list[tuple[Any, _Sent]]:
        """What has ended, waited for at most a beat."""
        try:
            futures = [self._finished.get(timeout=BEAT_S)]
        except Empty:
            return []
        futures += [self._finished.get() for _ in range(self._finished.qsize())]
        found = [(one, self._pending.pop(one)) for one in futures if one in self._pending]
        for _, sent in found:
            self._rooms.leave(sent.worker)
        return found

    def take_back(self, future: Any, sent: _Sent) -> None:
        """Wait for what has ended, and whose receipt was lost on the way."""
        self._rooms.flying[sent.worker] += 1
        self._expect(future, sent)

    def rescue(self) -> None:
        """Send again what was sent to a worker that is gone, and that nobody works at.

        Dask gives it to another one only if there is one when the worker dies.
        """
        bound = {future: sent for future, sent in self._pending.items() if sent.bound}
        working = self._client.processing() if bound else {}
        held = {key for keys in working.values() for key in keys}
        for future, sent in bound.items():
            lost = working and sent.worker not in working and future.key not in held
            if lost and future.status != "finished":
                del self._pending[future]
                future.cancel()
                self._send([sent.order], sent.worker, bound=False)

    def _send(self, taken: list[Order], worker: str, *, bound: bool) -> None:
        where = {"workers": [worker], "allow_other_workers": True} if bound else {}
        for job, group in groupby(taken, key=itemgetter(0)):
            regions = [region for _, region in group]
            told = {"task": self._task, "packed": self._packed.of(job), **where}
            keys = [(self._name, next(self._numbers)) for _ in regions]
            futures = self._client.map(_unpack_and, regions, key=keys, pure=False, **told)
            for future, region in zip(futures, regions, strict=True):
                self._expect(future, _Sent((job, region), worker, bound))

    def _expect(self, future: Any, sent: _Sent) -> None:
        self._pending[future] = sent
        future.add_done_callback(self._finished.put)


class _Rooms:
    """What is in flight for each worker, and what may be; for all together ("") if they change."""

    def __init__(self, client: Any, fixed: bool) -> None:
        # All may have died a moment ago.
        known = list(client.nthreads()) if fixed else []
        self._client, self._fixed = client, bool(known)
        self.flying = dict.fromkeys(known or [""], 0)
        self._workers, self._window = len(self.flying), WINDOW
        self._looked, self._left = -BEAT_S, 0

    def look(self) -> Iterator[tuple[str, int]]:
        """For whom there is room, and how much."""
        now = time.monotonic()
        if now >= self._looked + BEAT_S:
            self._count(now - self._looked)
            self._looked = now
        each = 1 if self._fixed else self._workers
        for worker, flying in self.flying.items():
            room = each * self._window - flying
            # Of a wider window a quarter at once: sending is what costs.
            if room >= self._window // WINDOW:
                yield worker, room

    def leave(self, worker: str) -> None:
        """Count a region that has ended."""
        self.flying[worker] -= 1
        self._left += 1

    def _count(self, seconds: float) -> None:
        """How many workers there are now, and how fast they were."""
        if not self._fixed:
            self._workers = max(1, len(self._client.nthreads()))
        ahead = AHEAD_S * self._left / seconds / self._workers
        self._window = min(MOST, max(WINDOW, int(ahead)))
        self._left = 0


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


def _result(future: Any, region: Region) -> Any:
    """What came of an order that has ended.

    Raises
    ------
    TimeoutError
        If it cannot be had from the worker that did it.
    """
    try:
        error = None if future.status == "finished" else future.exception(timeout=FETCH_S)
        if error is None:
            return future.result(timeout=FETCH_S)
    except KilledWorker as lost:  # with what it had finished, and again when that was repeated
        error = lost
    if isinstance(error, KilledWorker):
        return Failure(region, _DEADLY)
    return Failure(region, f"{type(error).__name__}: {first_line(error)}")
