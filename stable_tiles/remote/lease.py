"""Lease: the right to write behind a URL, which ends soon after the process that has it.

An object names who holds the right and is written again every few seconds, on
the condition that nobody else wrote it.  Whoever wants the right watches that
object: one that stays as it is has lost its process.  No clocks are compared.
"""

from __future__ import annotations

import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import psutil

from stable_tiles.errors import OutputExists, StoreUnreachable
from stable_tiles.remote.location import Remote
from stable_tiles.remote.objects import objects_at

HELD = "held/"
"""Where the objects that name holders lie below the folder of an unfinished output."""

BEAT_S = 5.0
"""Seconds between two signs of life."""

DEAD_S = 30.0
"""Seconds without one after which a holder has lost its right."""

_LOOK_S = 0.5

_LIVE: set[str] = set()
"""Rights that this process has."""


@dataclass(frozen=True)
class Holder:
    """Who holds a right: a process, known by its number, machine and start."""

    process: int
    machine: str
    started: float
    token: str
    beat: int = 0

    @classmethod
    def of_this_process(cls) -> Holder:
        """A new right of this process."""
        me = psutil.Process()
        return cls(me.pid, platform.node(), me.create_time(), uuid4().hex)

    def __str__(self) -> str:
        return f"process {self.process} on {self.machine}"

    def beaten(self, beat: int) -> bytes:
        """What is written as the sign of life of that number."""
        return json.dumps({**self.__dict__, "beat": beat}).encode()

    def is_dead(self) -> bool:
        """Whether it was a process of this machine that is gone, or gave the right up."""
        if self.machine == platform.node() and self.process == os.getpid():
            return self.token not in _LIVE
        if self.machine != platform.node():
            return False
        try:
            return bool(psutil.Process(self.process).create_time() != self.started)
        except psutil.NoSuchProcess:
            return True


class Lease:
    """One right, by the name of its object.

    Parameters
    ----------
    folder : Remote
        The folder of an unfinished output.
    name : str
        What the right is called.
    """

    def __init__(self, folder: Remote, name: str) -> None:
        self._folder, self._objects, self._key = folder, folder.objects, HELD + name
        # A sign of life that comes late is none, and nobody waits long to let go.
        self._hasty = objects_at(folder.address, patient=False)
        self._me = Holder.of_this_process()
        self._tag: str | None = None
        self._ended, self._lost = Event(), False
        self._beating: Thread | None = None

    def take(self, *, wait: bool = False) -> Holder | None:
        """Take the right; returns who else has it, None where it was taken.

        Parameters
        ----------
        wait : bool
            Whether to wait until it is given back.
        """
        watched: tuple[str, float] | None = None
        while True:
            found = self._objects.read_tagged(self._key)
            if found is None or self._is_over(found, watched):
                mine = self._me.beaten(0)
                _LIVE.add(self._me.token)
                tag = self._objects.write_if(self._key, mine, found and found[1])
                now = None if tag else self._objects.read_tagged(self._key)
                if tag or (now and now[0] == mine):
                    # Also where the answer to a request that did its work was lost.
                    self._begin(tag or str(now and now[1]))
                    return None
                watched = None
                continue
            if not wait and watched and watched[0] != found[1]:
                return _holder(found[0])
            if not wait and _is_here(found[0]):
                return _holder(found[0])
            if watched is None or watched[0] != found[1]:
                watched = found[1], time.monotonic()
            time.sleep(_LOOK_S)

    def check(self) -> None:
        """Raise if the right was lost to another.

        Raises
        ------
        OutputExists
            If another process holds it now.
        """
        if self._lost:
            raise OutputExists(
                f"another process has taken over {self._folder}: this one was silent for too "
                "long; when the other one has ended, use --resume"
            )

    def release(self) -> None:
        """Give the right up."""
        self._ended.set()
        if self._beating is not None:
            self._beating.join()
            self._beating = None
            _LIVE.discard(self._me.token)
            if not self._lost:
                # Where that fails too, the right ends as that of a process that died.
                with suppress(StoreUnreachable):
                    self._hasty.remove([self._key])
        self._tag = None

    def _is_over(self, found: tuple[bytes, str], watched: tuple[str, float] | None) -> bool:
        holder = _holder(found[0])
        if holder is None or holder.is_dead():
            return True
        silent = watched is not None and watched[0] == found[1]
        return silent and watched is not None and time.monotonic() - watched[1] >= DEAD_S

    def _begin(self, tag: str) -> None:
        self._tag, self._lost = tag, False
        self._ended = Event()
        self._beating = Thread(target=self._beat, args=(self._ended,), daemon=True)
        self._beating.start()

    def _beat(self, ended: Event) -> None:
        beat = 0
        while not ended.wait(BEAT_S):
            beat += 1
            content = self._me.beaten(beat)
            try:
                tag = self._hasty.write_if(self._key, content, self._tag)
                now = None if tag else self._hasty.read_tagged(self._key)
            except StoreUnreachable:
                continue
            if not tag and now and now[0] == content:
                tag = now[1]
            if not tag:
                self._lost = True
                return
            self._tag = tag


def living(folder: Remote, name: str) -> Holder | None:
    """Somebody who holds a right whose name begins so; the objects of the dead are removed."""
    objects, began = folder.objects, time.monotonic()
    seen: dict[str, str] = {}
    while True:
        silent = []
        for key, _ in list(objects.entries(HELD.rstrip("/"))):
            found = objects.read_tagged(key) if key.startswith(HELD + name) else None
            if found is None:
                continue
            holder = _holder(found[0])
            if holder is None or holder.is_dead():
                objects.remove([key])
            elif _is_here(found[0]) or seen.setdefault(key, found[1]) != found[1]:
                return holder
            else:
                silent.append(key)
        if not silent:
            return None
        if time.monotonic() - began >= DEAD_S:
            objects.remove(silent)
            return None
        time.sleep(_LOOK_S)


def _holder(content: bytes) -> Holder | None:
    try:
        tree: dict[str, Any] = json.loads(content)
        return Holder(**tree)
    except (ValueError, TypeError):
        return None


def _is_here(content: bytes) -> bool:
    """Whether a holder is a process of this machine, so that nobody has to wait for a sign."""
    holder = _holder(content)
    return holder is not None and holder.machine == platform.node() and not holder.is_dead()
