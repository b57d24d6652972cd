"""A wish to stop: SIGINT and SIGTERM noted, so that a step is never cut in half."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType


@contextmanager
def stop_requests() -> Iterator[Event]:
    """An event that the first SIGINT or SIGTERM sets.

    A second signal does what it would have done before.  Outside the main
    thread no signal can be caught, and the event stays unset.
    """
    wish = Event()
    if current_thread() is not main_thread():
        yield wish
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        wish.set()
        _restore(before)

    for number in before:
        signal.signal(number, note)
    try:
        yield wish
    finally:
        _restore(before)


def _restore(handlers: Mapping[signal.Signals, object]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)  # type: ignore[arg-type]  # as getsignal returned it
