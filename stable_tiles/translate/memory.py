"""Memory: what the operating system says of this process and this machine."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import sys
from collections.abc import Sequence
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil


def process_name() -> str:
    """A name for this process that tells nothing of the machine."""
    return sha256(f"{platform.node()} {os.getpid()}".encode()).hexdigest()[:12]


_OWN_BYTES = 1 << 17
"""Arrays from this size on get memory of their own."""

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
"""Parameters of glibc's ``mallopt``."""


def use_one_arena() -> None:
    """Let threads that start from now on share glibc's main arena.

    A thread keeps the arena that it begins with, and blocks larger than 64 MB
    are kept (`keep_freed_memory`) in the main one alone.
    """
    _set_malloc((_ARENA_MAX, 1))


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for the next tile.

    glibc hands every large block back to the operating system, which then
    clears its pages again one by one: a third of a small network's time.  Does
    nothing where the C library is another.
    """
    _set_malloc((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, 64 << 20))


def _set_malloc(*parameters: tuple[int, int]) -> None:
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        for parameter, value in parameters:
            mallopt(parameter, value)


def empty(shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array whose memory returns to the operating system with it, whatever is kept.

    For what is as large as a region and lives as long: among the tiles' memory
    it would leave holes that no tile fits into.
    """
    count = prod(shape)
    size = count * np.dtype(dtype).itemsize
    if size < _OWN_BYTES:
        return np.empty(shape, dtype)
    if sys.platform != "linux":
        return np.frombuffer(mmap.mmap(-1, size), dtype, count).reshape(shape)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)  # a sixth of the time to touch it first
    return np.frombuffer(memory, dtype, count).reshape(shape)


SETTLED = 4
"""Regions after which a process is taken to have needed all that it needs."""


class Allowance:
    """Memory that this process may take, kept free memory included.

    Parameters
    ----------
    limit_bytes : int
        Resident memory from which on what is free is returned.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._process = psutil.Process()
        self._largest, self._regions = 0, 0

    def raise_to(self, limit_bytes: int) -> None:
        """Allow at least so much to a job that begins."""
        self.limit_bytes = max(self.limit_bytes, limit_bytes)
        self._largest, self._regions = 0, 0

    def keep(self) -> None:
        """Return what is free to the operating system if this process takes too much."""
        taken = self._process.memory_info().rss
        if taken > self.limit_bytes:
            give_back_memory()
        self._largest = max(self._largest, taken)

    def settle(self) -> None:
        """A region has ended: when a few have, no more is kept than they took.

        How much lies free at a time is partly chance, of which a long job has more.
        """
        self._regions += 1
        if self._regions == SETTLED:
            self.limit_bytes = min(self.limit_bytes, self._largest)


def give_back_memory() -> None:
    """Return what is free to the operating system."""
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Any:
    """A function of glibc; None where the C library is another."""
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return None
    return getattr(ctypes.CDLL(None), name, None)
