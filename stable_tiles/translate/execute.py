"""Execute: run a list of regions, here or on Dask, and hand back each result as it comes.

Only descriptions of regions travel to workers and only receipts come back;
pixels never pass through the scheduler.  A few regions per worker are in
flight at a time, so that a plan of any size costs the scheduler nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeVar

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

Task = Callable[[Job, Region], Outcome | Failure]
"""What is done for every region, such as `make_region`; a function of a module."""


class Crew(Protocol):
    """Does a task for regions and yields what came of each, in any order.

    None between is a sign of life.
    """

    def __call__(
        self, task: Task[Outcome], job: Job, regions: Iterable[Region], /
    ) -> Iterator[Outcome | Failure | None]:
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
        yield partial(_stream, client)


def _alone(
    task: Task[Outcome], job: Job, regions: Iterable[Region]
) -> Iterator[Outcome | Failure | None]:
    """In threads of this process, which stop at the next layer when the caller does."""
    waiting = iter(regions)
    pending: set[Future[Outcome | Failure]] = set()
    pool = ThreadPoolExecutor(DEPTH)
    try:
        while True:
            for region in islice(waiting, DEPTH - len(pending)):
                pending.add(pool.submit(task, job, region))
            if not pending:
                return
            finished, pending = wait_for(pending, timeout=BEAT_S, return_when=FIRST_COMPLETED)
            if not finished:
                yield None
            for future in finished:
                yield future.result()
    finally:
        put_away()
        pool.shutdown(cancel_futures=True)


def _stream(
    client: Any, task: Task[Outcome], job: Job, regions: Iterable[Region]
) -> Iterator[Outcome | Failure | None]:
    from distributed import wait

    waiting = iter(regions)
    workers = max(1, len(client.scheduler_info()["workers"]))
    pending: dict[Any, Region] = {}
    while True:
        for region in islice(waiting, WINDOW * workers - len(pending)):
            pending[client.submit(task, job, region, pure=False)] = region
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
            yield _result(future, pending.pop(future))


def _result(future: Any, region: Region) -> Any:
    from distributed.scheduler import KilledWorker

    error = future.exception()
    if isinstance(error, KilledWorker):
        return Failure(region, "its worker died each time, perhaps for lack of memory: --tile")
    if error is not None:
        return Failure(region, f"{type(error).__name__}: {first_line(error)}")
    return future.result()
