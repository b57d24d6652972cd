"""Usage: what this process has taken of the machine, and what it may take."""

from __future__ import annotations

import os
import re
import resource
import sys
from pathlib import Path

import psutil


def peak_rss_bytes() -> int:
    """Largest resident memory that this process has had, bytes.

    Linux also tells it of this program alone: what `getrusage` says is at
    least what the process that started this one had.
    """
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_bytes() -> int:
    """Memory of this machine, bytes."""
    return int(psutil.virtual_memory().total)


def decodable_bytes(limit: int) -> int:
    """The largest thing that may be decoded whole, bytes: `limit`, or half of the free memory."""
    return min(limit, int(psutil.virtual_memory().available) // 2)
