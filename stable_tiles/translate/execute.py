"""Execute: run a list of regions, here or on Dask, and hand back each result as it comes.

Only descriptions of regions travel to workers and only receipts come back;
pixels never pass through the scheduler.  A few regions per worker are in
flight at a time, so that a plan of any size costs the scheduler nothing.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice, pairwise
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar
from zlib import compress, decompress

from stable_tiles.errors import first_line
from stable_tiles.region import Region
from stable_tiles.translate.hardware import Resources
from stable_tiles.translate.job import Job
from stable_tiles.translate.options import Hardware
from stable_tiles.translate.task import Failure
from stable_tiles.translate.tools import DEPTH, put_away

WINDOW = DEPTH + 1
"""Regions in flight for each worker: those in work, and the next."""

BEAT_S = 5.0
"""Seconds after which a caller hears that work goes on, even if nothing finished."""

Outcome = TypeVar("Outcome")
Item = TypeVar("Item")

Order = tuple[Job, Region]
"""A region of a job, to be made."""

Task = Callable[[Job, Region], Outcome | Failure]
"""What is done for every order, such as `make_region`; a function of a module."""


Entry_co = TypeVar("Entry_co", covariant=True)


class Numbered(Protocol[Entry_co]):
    """Items known by number, such as a list; it need not hold them."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, number: int, /) -> Entry_co:
        """One of them."""
        ...


class Crew(Protocol):
    """Does a task for orders and yields what came of each, with its job, in any order.

    None between is a sign of life.
    """

    def __call__(
        self, task: Task[Outcome], orders: Numbered[Order], /
    ) -> Iterator[tuple[Job, Outcome | Failure] | None]:
        """Begin the work."""
        ...


@contextmanager
def crew(hardware: Hardware, resources: Resources) -> Iterator[Crew]:
    """Whoever makes the regions: this process, or the workers of a cluster.

    Raises
    ------
    InputError
        If the cluster that was asked for cannot be reached.
    """
    if resources.workers == 0 and not (hardware.scheduler or hardware.slurm):
        yield _alone
        return
    from stable_tiles.translate.cluster import connected

    with connected(hardware, resources) as client:
        yield partial(_stream, client, not (hardware.scheduler or hardware.slurm))


def _alone(
    task: Task[Outcome], orders: Numbered[Order]
) -> Iterator[tuple[Job, Outcome | Failure] | None]:
    """In threads of this process, which stop at the next layer when the caller does."""
    waiting = (orders[number] for number in range(len(orders)))
    pending: dict[Future[Outcome | Failure], Job] = {}
    pool = ThreadPoolExecutor(DEPTH)
    try:
        while True:
            for job, region in islice(waiting, DEPTH - len(pending)):
                pending[pool.submit(task, job, region)] = job
            if not pending:
                return
            finished, _ = wait(pending, timeout=BEAT_S, return_when=FIRST_COMPLETED)
            if not finished:
                yield None
            for future in finished:
                yield pending.pop(future), future.result()
    finally:
        put_away()
        pool.shutdown(cancel_futures=True)


class Shares(Generic[Item]):
    """Items handed out so that those of one worker lie next to each other.

    Neighbours read the same chunks, which a worker keeps.  Who has finished
    its own share helps another from the end.

    Parameters
    ----------
    items : numbered
        In the order of work.
    workers : sequence of str
        Their addresses.
    """

    def __init__(self, items: Numbered[Item], workers: Sequence[str]) -> None:
        self._items = items
        cuts = [len(items) * k // len(workers) for k in range(len(workers) + 1)]
        self._left = {
            worker: range(first, last)
            for worker, (first, last) in zip(workers, pairwise(cuts), strict=True)
        }

    def next(self, worker: str) -> Item | None:
        """What a worker does next; None where nothing is left."""
        own = self._left[worker]
        if own:
            self._left[worker] = own[1:]
            return self._items[own[0]]
        other = max(self._left, key=lambda name: len(self._left[name]))
        longest = self._left[other]
        if not longest:
            return None
        self._left[other] = longest[:-1]
        return self._items[longest[-1]]


def _stream(
    client: Any, fixed: bool, task: Task[Outcome], orders: Numbered[Order]
) -> Iterator[tuple[Job, Outcome | Failure] | None]:
    """On the workers of a cluster; `fixed` where they are known and stay."""
    finished: SimpleQueue[Any] = SimpleQueue()
    rooms = _Rooms(client, fixed)
    shares = Shares(orders, list(rooms.free))
    pending: dict[Any, tuple[Order, str]] = {}
    packed = _Packed()
    while True:
        rooms.look(len(pending))
        for worker in rooms.free:
            while rooms.free[worker] > 0 and (order := shares.next(worker)) is not None:
                where = {"workers": [worker], "allow_other_workers": True} if worker else {}
                parcel = packed.of(order[0])
                future = client.submit(_unpack_and, task, parcel, order[1], pure=False, **where)
                pending[future] = order, worker
                rooms.free[worker] -= 1
                future.add_done_callback(finished.put)
        if not pending:
            return
        try:
            future = finished.get(timeout=BEAT_S)
        except Empty:
            yield None
            continue
        (job, region), worker = pending.pop(future)
        rooms.free[worker] += 1
        yield job, _result(future, region)


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
        if job is not self._job:
            self._job, self._bytes = job, compress(pickle.dumps(job), 1)
        return self._bytes


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> Job:
    job: Job = pickle.loads(decompress(packed))
    return job


def _unpack_and(task: Task[Outcome], packed: bytes, region: Region) -> Outcome | Failure:
    """Do a task, on a worker."""
    return task(_unpacked(packed), region)


def _result(future: Any, region: Region) -> Any:
    from distributed.scheduler import KilledWorker

    error = future.exception()
    if isinstance(error, KilledWorker):
        return Failure(region, "its worker died each time, perhaps for lack of memory: --tile")
    if error is not None:
        return Failure(region, f"{type(error).__name__}: {first_line(error)}")
    return future.result()
