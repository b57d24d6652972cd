"""Execute: run a list of regions, here or on Dask, and hand back each result as it comes.

Only descriptions of regions travel to workers and only receipts come back;
pixels never pass through the scheduler.  A few regions per worker are in
flight at a time, so that a plan of any size costs the scheduler nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from functools import partial
from itertools import islice, pairwise
from typing import Any, Generic, Protocol, TypeVar

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


class Crew(Protocol):
    """Does a task for orders and yields what came of each, with its job, in any order.

    None between is a sign of life.
    """

    def __call__(
        self, task: Task[Outcome], orders: Iterable[Order], /
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
    task: Task[Outcome], orders: Iterable[Order]
) -> Iterator[tuple[Job, Outcome | Failure] | None]:
    """In threads of this process, which stop at the next layer when the caller does."""
    waiting = iter(orders)
    pending: dict[Future[Outcome | Failure], Job] = {}
    pool = ThreadPoolExecutor(DEPTH)
    try:
        while True:
            for job, region in islice(waiting, DEPTH - len(pending)):
                pending[pool.submit(task, job, region)] = job
            if not pending:
                return
            finished, _ = wait_for(pending, timeout=BEAT_S, return_when=FIRST_COMPLETED)
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
    items : iterable
        In the order of work.
    workers : sequence of str
        Their addresses.
    """

    def __init__(self, items: Iterable[Item], workers: Sequence[str]) -> None:
        every = list(items)
        cuts = [len(every) * k // len(workers) for k in range(len(workers) + 1)]
        self._left = {
            worker: deque(every[first:last])
            for worker, (first, last) in zip(workers, pairwise(cuts), strict=True)
        }

    def next(self, worker: str) -> Item | None:
        """What a worker does next; None where nothing is left."""
        if self._left[worker]:
            return self._left[worker].popleft()
        longest = max(self._left.values(), key=len)
        return longest.pop() if longest else None


def _stream(
    client: Any, fixed: bool, task: Task[Outcome], orders: Iterable[Order]
) -> Iterator[tuple[Job, Outcome | Failure] | None]:
    """On the workers of a cluster; `fixed` where they are known and stay."""
    from distributed import wait

    known = list(client.scheduler_info()["workers"])
    window = dict.fromkeys(known, WINDOW) if fixed and known else {"": WINDOW * max(1, len(known))}
    shares = Shares(orders, list(window))
    pending: dict[Any, tuple[Order, str]] = {}
    while True:
        for worker, room in window.items():
            for _ in range(room):
                order = shares.next(worker)
                if order is None:
                    break
                where = {"workers": [worker], "allow_other_workers": True} if worker else {}
                future = client.submit(task, *order, pure=False, **where)
                pending[future] = order, worker
                window[worker] -= 1
        if not pending:
            return
        try:
            finished, _ = wait(  # type: ignore[no-untyped-call]  # distributed is untyped
                list(pending), timeout=BEAT_S, return_when="FIRST_COMPLETED"
            )
        except TimeoutError:
            yield None
            continue
        for future in finished:
            (job, region), worker = pending.pop(future)
            window[worker] += 1
            yield job, _result(future, region)


def _result(future: Any, region: Region) -> Any:
    from distributed.scheduler import KilledWorker

    error = future.exception()
    if isinstance(error, KilledWorker):
        return Failure(region, "its worker died each time, perhaps for lack of memory: --tile")
    if error is not None:
        return Failure(region, f"{type(error).__name__}: {first_line(error)}")
    return future.result()
