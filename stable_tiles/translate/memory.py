"""Memory: what the operating system says of this process and this machine."""

from __future__ import annotations

import os
import platform
import resource
import sys
from hashlib import sha256

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
