"""Batches in order, made ahead of time by threads.

A batch is a pure function of its step, so the sequence cannot depend on the
number of threads; decoding releases the interpreter, so threads are enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def ahead(make: Callable[[int], Batch], steps: Iterable[int], workers: int) -> Iterator[Batch]:
    """``make(step)`` for every step, in order.

    Parameters
    ----------
    make : callable
        Makes the batch of a step; safe to call from several threads at once.
    steps : iterable of int
        The steps, in the order in which their batches are wanted.
    workers : int
        Threads that work ahead of the consumer, up to two batches each;
        0 makes every batch when it is asked for.

    Yields
    ------
    Batch
        The same sequence for every number of workers.  An error in `make` is
        raised where its batch is due.
    """
    if workers == 0:
        yield from map(make, steps)
        return
    pending: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="patches")
    try:
        for step in steps:
            pending.append(pool.submit(make, step))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
