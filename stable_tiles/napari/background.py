"""Background: work in a thread of its own: how far it is, what came of it, a way to stop it.

Knows nothing of napari or Qt; whoever shows it asks now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Generic, TypeVar

from stable_tiles.errors import Interrupted, StableTilesError, first_line
from stable_tiles.progress import Progress

Result = TypeVar("Result")


class Background(Generic[Result]):
    """Work that goes on beside its caller; begins when it is made.

    Parameters
    ----------
    work : callable
        Takes a `Progress` and returns the result.  When it is cancelled, its
        next report of progress raises KeyboardInterrupt, as Ctrl-C would.

    Attributes
    ----------
    progress : tuple of str, int, int
        What is counted, how many are done, and of how many.
    result : Result or None
        What the work returned.
    error : str or None
        One line where it failed, or was cancelled.
    """

    def __init__(self, work: Callable[[Progress], Result]) -> None:
        self.progress = ("", 0, 0)
        self.result: Result | None = None
        self.error: str | None = None
        self._work = work
        self._cancelled = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Ask it to stop; what it has begun can be resumed."""
        self._cancelled.set()

    def wait(self, seconds: float) -> None:
        """Return when it has ended, or after so many seconds."""
        self._thread.join(seconds)

    def _run(self) -> None:
        self.error = "it stopped without a word: napari's log tells why"
        try:
            self.result = self._work(self._report)
        except (Interrupted, KeyboardInterrupt):
            self.error = "cancelled: Translate again goes on from here"
        except (StableTilesError, OSError, MemoryError) as error:
            self.error = first_line(error)
        else:
            self.error = None

    def _report(self, what: str, done: int, total: int) -> None:
        if self._cancelled.is_set():
            raise KeyboardInterrupt
        self.progress = (what, done, total)
