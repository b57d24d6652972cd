"""Lanes: threads that pass tiles through the network, in the order in which they are told.

Results come back in the order of their items, so nothing that is made of them
depends on the number of lanes or on their speed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def _nothing() -> None:
    """What happens by default."""


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

    def __init__(self, number: int, begin: Callable[[], None] = _nothing) -> None:
        self.number = number
        self._pool = ThreadPoolExecutor(number, initializer=begin)

    def map(
        self,
        work: Callable[[Item], Made],
        items: Iterable[Item],
        emptied: Callable[[], None] = _nothing,
    ) -> Iterator[Made]:
        """What `work` makes of each item, in their order; a few items are ahead at most.

        Parameters
        ----------
        work : function
            Called in the lanes.
        items : iterable
            Taken as they are needed.
        emptied : function
            Called when the last item is taken, while a few are still in work.

        Raises
        ------
        RuntimeError
            If the lanes are closed.
        """
        pending: deque[Future[Made]] = deque()
        try:
            for item in items:
                pending.append(self._pool.submit(work, item))
                if len(pending) > self.number:
                    yield pending.popleft().result()
            emptied()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """End the threads once they have done what is queued; `map` fails from now on."""
        self._pool.shutdown(wait=False)
