"""Execute: run regions, known by number, here or on Dask, and hand back each as it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice, pairwise
from typing import Generic, Protocol, TypeVar

from stable_tiles.region import Region
from stable_tiles.translate.hardware import Resources
from stable_tiles.translate.job import Job
from stable_tiles.translate.options import Hardware
from stable_tiles.translate.task import Failure
from stable_tiles.translate.tools import DEPTH, put_away

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
    from stable_tiles.translate.stream import Stream

    with connected(hardware, resources) as client:
        yield Stream(client, fixed=not (hardware.scheduler or hardware.slurm))


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
