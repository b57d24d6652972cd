"""Memory: what the operating system says of this process and this machine."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
from hashlib import sha256
from typing import Any

import psutil


def peak_rss_bytes() -> int:
    """Largest resident memory that this process has had, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def machine_bytes() -> int:
    """Memory of this machine, bytes."""
    return int(psutil.virtual_memory().total)


def process_name() -> str:
    """A name for this process that tells nothing of the machine."""
    return sha256(f"{platform.node()} {os.getpid()}".encode()).hexdigest()[:12]


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
"""Parameters of glibc's ``mallopt``."""


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for the next tile.

    glibc hands every large block back to the operating system, which then
    clears its pages again one by one: a third of a small network's time.  Does
    nothing where the C library is another.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        for parameter, value in (
            (_MMAP_MAX, 0),
            (_TRIM_THRESHOLD, -1),
            (_TOP_PAD, 64 << 20),
            (_ARENA_MAX, 1),
        ):
            mallopt(parameter, value)


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
