"""Several processes that train together: started, listened to, and ended together.

The calling process computes nothing.  It passes on what the leading process
tells, and a wish to stop to all of them; when one is lost it ends the others.
Processes are spawned, never forked, and end by themselves when the caller is
gone: each listens to its line, which closes then.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Generic, Literal, TextIO, TypeVar

import torch

from stable_tiles import errors
from stable_tiles.errors import StableTilesError, WorkFailed, first_line
from stable_tiles.progress import Progress
from stable_tiles.train.peers import PeerLost, Peers, meet

Result = TypeVar("Result")
Work = Callable[[Peers, Event, Progress], Result]
"""What each process does: with its peers, a wish to stop, and whom to tell."""

GRACE_S = 3.0
"""Seconds in which other processes may still say why one was lost, or end by themselves."""

_POLL_S = 0.2


@dataclass(frozen=True)
class Team:
    """How many processes, and on what.

    Parameters
    ----------
    size : int
    device : {"cpu", "cuda"}
        With ``cuda`` process `i` computes on GPU `i`.
    """

    size: int
    device: Literal["cpu", "cuda"]


@dataclass
class _Member(Generic[Result]):
    """A process, and the line to it."""

    rank: int
    process: SpawnProcess
    line: connection.Connection
    open: bool = True
    failed: bool = False


def together(work: Work[Result], team: Team, stop: Event, progress: Progress) -> Result:
    """Run `work` in every process of a team; returns what the leading one returns.

    Parameters
    ----------
    work : callable
        Can be pickled, and its result too.
    team : Team
    stop : Event
        A wish to stop, passed on to all.
    progress : Progress
        Told what the leading process tells.

    Raises
    ------
    StableTilesError
        What a process raised; WorkFailed where one was lost.  All processes
        have ended then.
    """
    with TemporaryDirectory(prefix="stable-tiles-") as folder:
        members = [_start(work, team, rank, Path(folder) / "meeting") for rank in range(team.size)]
        try:
            return _listen_to(members, stop, progress)
        finally:
            for member in members:
                member.process.kill()
                member.process.join()
                member.line.close()


def _start(work: Work[Result], team: Team, rank: int, meeting: Path) -> _Member[Result]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    threads = max(1, torch.get_num_threads() // team.size)
    process = context.Process(
        target=_member, args=(work, team, rank, str(meeting), threads, theirs), daemon=True
    )
    process.start()
    theirs.close()
    return _Member(rank, process, ours)


def _listen_to(members: list[_Member[Result]], stop: Event, progress: Progress) -> Result:
    told, failures = False, _Failures()
    while True:
        told = told or _pass_on(stop, members)
        for member in _speaking(members):
            kind, content = _heard(member)
            if kind == "progress":
                progress(*content)
            elif kind == "warning":
                warnings.warn(content, UserWarning, stacklevel=1)
            elif kind == "failed":
                failures.note(content)
            elif kind == "done" and member.rank == 0:
                _let_end(members)
                result: Result = content
                return result
        failures.check()


class _Failures:
    """Why processes failed: the first that knows is raised, not those that lost it."""

    def __init__(self) -> None:
        self._lost: PeerLost | None = None
        self._since = 0.0

    def note(self, error: StableTilesError) -> None:
        """A process failed."""
        if not isinstance(error, PeerLost):
            raise error
        if self._lost is None:
            self._lost, self._since = error, time.monotonic()

    def check(self) -> None:
        """Raise what is known when nobody has said more for a while."""
        if self._lost is not None and time.monotonic() - self._since > GRACE_S:
            raise WorkFailed(f"{self._lost}: go on from the last checkpoint with --resume")


def _pass_on(stop: Event, members: list[_Member[Result]]) -> bool:
    """Tell all members to stop, if that is wished."""
    if not stop.is_set():
        return False
    for member in members:
        with suppress(OSError):  # it has ended, which its line will tell
            member.line.send("stop")
    return True


def _speaking(members: list[_Member[Result]]) -> list[_Member[Result]]:
    """Members that have said something or have ended, after a moment."""
    lines = {member.line: member for member in members if member.open}
    ready = connection.wait(list(lines), _POLL_S)
    return [member for line, member in lines.items() if line in ready]


def _heard(member: _Member[Result]) -> tuple[str, Any]:
    """What a member has said; how it ended when its line is closed."""
    try:
        kind, content = member.line.recv()
    except (EOFError, OSError):
        member.open = False
        member.process.join(GRACE_S)
        code = member.process.exitcode
        if code != 0 and not member.failed:
            return "failed", _lost(member.rank, code)
        return "ended", None
    member.failed = kind == "failed"
    return kind, content


def _lost(rank: int, code: int | None) -> StableTilesError:
    how = f"ended with exit code {code}"
    if code is not None and code < 0:
        how = f"was killed by {signal.Signals(-code).name}"
    return WorkFailed(
        f"process {rank} of this training {how} (out of memory?): "
        "go on from the last checkpoint with --resume"
    )


def _let_end(members: list[_Member[Result]]) -> None:
    for member in members:
        member.process.join(GRACE_S)


def _member(
    work: Work[Result],
    team: Team,
    rank: int,
    meeting: str,
    threads: int,
    line: connection.Connection,
) -> None:
    """The life of one process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the caller hears them, and says stop
    # processes of one machine meet where no other machine can reach them
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    stop = Event()
    Thread(target=_obey, args=(line, stop), daemon=True).start()
    torch.set_num_threads(threads)
    if team.device == "cuda":
        torch.cuda.set_device(rank)
    try:
        cuda = team.device == "cuda"
        with _passed_on(line, rank), meet(meeting, rank, team.size, cuda=cuda) as peers:
            result = work(peers, stop, partial(_report, line, rank))
        line.send(("done", result if rank == 0 else None))
    except Exception as error:
        # raised again by the caller, in its one place for errors
        line.send(("failed", _portable(error, rank)))
        sys.exit(1)


def _obey(line: connection.Connection, stop: Event) -> None:
    """Note a wish to stop; end at once when the caller is gone."""
    try:
        while True:
            line.recv()
            stop.set()
    except (EOFError, OSError):
        os._exit(1)


def _report(line: connection.Connection, rank: int, what: str, done: int, total: int) -> None:
    if rank == 0:
        line.send(("progress", (what, done, total)))


@contextmanager
def _passed_on(caller: connection.Connection, rank: int) -> Iterator[None]:
    """Warnings of this package go to the caller, once: from the leading process."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning, module="stable_tiles")
        shown = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if rank == 0 and issubclass(category, UserWarning):
                caller.send(("warning", str(message)))
            elif rank == 0:
                shown(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


def _portable(error: Exception, rank: int) -> StableTilesError:
    """The error as one of `errors`, which any process can unpickle."""
    if isinstance(error, PeerLost):
        return PeerLost(str(error))
    kinds = (kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    kind = next(kinds, None)
    if kind is not None and issubclass(kind, StableTilesError):
        return kind(str(error))
    named = first_line(error) if isinstance(error, OSError) else repr(error)
    failed = WorkFailed(f"process {rank} of this training failed: {named}")
    failed.add_note("".join(traceback.format_exception(error)))
    return failed
