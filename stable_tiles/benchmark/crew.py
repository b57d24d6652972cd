"""Who does the trials: this process, one after the other, or several processes at once.

Processes are spawned and have a trial each.  A wish to stop is passed on to
all of them, and they stop where they can go on; so they do when the calling
process is gone, of which the line between them tells.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from threading import Thread

import torch

from stable_tiles.benchmark.trial import Work, do
from stable_tiles.errors import Interrupted, StableTilesError, WorkFailed
from stable_tiles.progress import Progress

PATIENCE_S = 60.0
"""Seconds that processes have to write their checkpoints when all shall stop."""

_TELL_S = 1.0
"""Seconds between two words of a process about its progress."""

Outcome = tuple[Work, StableTilesError | None]


@dataclass
class _Worker:
    """A process, its trial, and the line to it."""

    work: Work
    process: SpawnProcess
    line: connection.Connection


def done(works: Sequence[Work], workers: int, progress: Progress) -> Iterator[Outcome]:
    """Every trial as it ends, with why it failed if it did.

    Parameters
    ----------
    works : sequence of Work
    workers : int
        How many at once.
    progress : Progress
        Told what trials tell, each by its name.

    Raises
    ------
    Interrupted
        After SIGINT or SIGTERM; every trial has stopped where it can go on.
    """
    if workers > 1 and len(works) > 1:
        yield from _at_once(works, min(workers, len(works)), progress)
        return
    for work in works:
        try:
            do(work, progress)
        except Interrupted:
            raise
        except StableTilesError as error:
            yield work, error
        else:
            yield work, None


def _at_once(works: Sequence[Work], workers: int, progress: Progress) -> Iterator[Outcome]:
    waiting, busy = list(works), list[_Worker]()
    threads = max(1, torch.get_num_threads() // workers)
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                busy.append(_start(waiting.pop(0), threads))
            ready = connection.wait([worker.line for worker in busy])
            for worker in [worker for worker in busy if worker.line in ready]:
                ended, error = _hear(worker, progress)
                if isinstance(error, Interrupted):
                    raise error
                if ended:
                    busy.remove(worker)
                    yield worker.work, error
    finally:
        _stop(busy)


def _start(work: Work, threads: int) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_life, args=(work, threads, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(work, process, ours)


def _hear(worker: _Worker, progress: Progress) -> tuple[bool, StableTilesError | None]:
    """Whether the trial has ended, and why if it has failed."""
    try:
        kind, content = worker.line.recv()
    except (EOFError, OSError):
        worker.process.join()
        code = worker.process.exitcode
        return True, WorkFailed(f"its process ended with exit code {code} (out of memory?)")
    if kind == "progress":
        progress(*content)
    elif kind == "warning":
        warnings.warn(content, UserWarning, stacklevel=1)
    else:
        worker.process.join()
        return True, content
    return False, None


def _stop(busy: Sequence[_Worker]) -> None:
    """Ask processes to stop, and end those that do not."""
    for worker in busy:
        worker.process.terminate()
    until = time.monotonic() + PATIENCE_S
    for worker in busy:
        worker.process.join(max(0.0, until - time.monotonic()))
        worker.process.kill()
        worker.line.close()


def _life(work: Work, threads: int, line: connection.Connection) -> None:
    """What a process does: one trial."""
    signal.signal(signal.SIGTERM, _interrupt)
    Thread(target=_follow, args=(line,), daemon=True).start()
    torch.set_num_threads(threads)
    error: StableTilesError | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", category=UserWarning, module="stable_tiles")
        try:
            do(work, _Teller(line))
        except KeyboardInterrupt:
            error = Interrupted("interrupted: run the same command again to go on")
        except StableTilesError as raised:
            error = type(raised)(str(raised))
    try:
        for warning in caught:
            line.send(("warning", f"{work.trial.key}: {warning.message}"))
        line.send(("ended", error))
    except OSError:  # the caller is gone
        sys.exit(1)


class _Teller:
    """Tells the caller how far the trial is, now and then."""

    def __init__(self, line: connection.Connection) -> None:
        self._line, self._told = line, 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._told < _TELL_S:
            return
        self._told = now
        try:
            self._line.send(("progress", (what, done, total)))
        except OSError:  # the caller is gone, and `_follow` ends this process
            return


def _follow(line: connection.Connection) -> None:
    """Stop when the caller is gone: as if it had asked to."""
    try:
        line.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
