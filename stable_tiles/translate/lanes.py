"""Lanes: threads that pass tiles through the network, the work of the oldest region first.

This module alone knows which thread computes what.  Results come back in the
order of their items, so nothing that is made of them depends on the number of
lanes or on their speed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import count
from queue import PriorityQueue
from threading import Lock, Thread
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

_LAST = float("inf")


class Lanes:
    """A few threads with one queue.

    Several lanes of one CPU thread each are faster than one lane of several:
    they never wait for each other, and a core that also reads or writes delays
    one tile instead of all.

    Parameters
    ----------
    number : int
        Threads.
    begin : function
        Called in each thread when it starts.
    """

    def __init__(self, number: int, begin: Callable[[], None] = lambda: None) -> None:
        self.number = number
        self._begin = begin
        self._serial = count()
        self._closed = False
        self._lock = Lock()
        self._queue: PriorityQueue[tuple[float, int, Callable[[], None] | None]] = PriorityQueue()
        for _ in range(number):
            Thread(target=self._serve, daemon=True).start()

    def map(self, work: Callable[[Item], Made], items: Iterable[Item], rank: int) -> Iterator[Made]:
        """What `work` makes of each item, in their order; a few items are ahead at most.

        Parameters
        ----------
        work : function
            Called in the lanes.
        items : iterable
            Taken as they are needed.
        rank : int
            Items of the lowest rank are worked on first.
        """
        pending: deque[Future[Made]] = deque()
        try:
            for item in items:
                pending.append(self._submit(work, item, rank))
                if len(pending) > self.number:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """End the threads once they have done what is queued; `map` fails from now on."""
        with self._lock:
            self._closed = True
            for _ in range(self.number):
                self._queue.put((_LAST, next(self._serial), None))

    def _submit(self, work: Callable[[Item], Made], item: Item, rank: int) -> Future[Made]:
        future: Future[Made] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work(item))
            except BaseException as error:  # handed to whoever waits for the result
                future.set_exception(error)

        with self._lock:
            if self._closed:
                raise RuntimeError("the lanes are closed")
            self._queue.put((rank, next(self._serial), run))
        return future

    def _serve(self) -> None:
        self._begin()
        while True:
            _, _, run = self._queue.get()
            if run is None:
                return
            run()
            del run
