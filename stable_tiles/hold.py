"""Hold: who may write an unfinished output, and who may begin or end one."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from stable_tiles.errors import OutputExists
from stable_tiles.remote.lease import Lease, living
from stable_tiles.remote.location import Location, Remote

_FILE = "held"

_ALONE, _PART, _LOCK = "alone", "part-", "lock"
"""Rights on an output behind a URL."""


class Hold:
    """The right to write an unfinished output, which ends with the process that has it.

    Behind a URL it ends some seconds after it: see `Lease`.

    Parameters
    ----------
    folder : Path or Remote
        The folder of the unfinished output.
    shared : bool
        Whether others who share may write too.
    """

    def __init__(self, folder: Location, *, shared: bool = False) -> None:
        self._folder, self._shared = folder, shared
        self._handle: int | None = None
        self._lease: Lease | None = None

    def take(self) -> None:
        """Take the right; again, after the folder was made anew.

        Raises
        ------
        OutputExists
            If another process writes; the line names it.
        """
        self.release()
        if isinstance(self._folder, Remote):
            self._lease = _leased(self._folder, shared=self._shared)
            return
        handle = os.open(self._folder / _FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if self._shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(handle, 256).decode(errors="replace").strip()
            os.close(handle)
            raise _busy(self._folder, who) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
        self._handle = handle

    def check(self) -> None:
        """Raise OutputExists if another process has taken the right over meanwhile."""
        if self._lease is not None:
            self._lease.check()

    def release(self) -> None:
        """Give the right up."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextmanager
def locked(folder: Location) -> Iterator[None]:
    """Hold a lock for the moment in which an output begins or ends.

    Of several that begin at once one finds the others.  The lock is released
    when this process ends, however it ends.

    Parameters
    ----------
    folder : Path or Remote
        The folder of the unfinished output; on a disk it need not be there yet.
    """
    if isinstance(folder, Remote):
        lease = Lease(folder, _LOCK)
        lease.take(wait=True)
        try:
            yield
        finally:
            lease.release()
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _leased(folder: Remote, *, shared: bool) -> Lease:
    """The right on an output behind a URL: alone, or with others who share it."""
    lease = Lease(folder, f"{_PART}{uuid4().hex}" if shared else _ALONE)
    other = lease.take()
    if other is None:
        # Looked for after the own right is known to others: of two, one sees the other.
        other = living(folder, _ALONE if shared else _PART)
    if other is None:
        return lease
    lease.release()
    raise _busy(folder, str(other))


def _busy(folder: Location, who: str) -> OutputExists:
    return OutputExists(
        f"{folder} is being written by {who or 'another process'}: "
        "wait for it, or stop it and use --resume"
    )
