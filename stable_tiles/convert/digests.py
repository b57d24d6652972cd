"""Digests of the source files, taken beside the work and given up when it fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

_PIECE = 2**20


@contextmanager
def digests_of(files: Sequence[Path]) -> Iterator[Future[list[dict[str, Any]]]]:
    """Name, size and sha256 of files, computed in a thread of their own.

    Leaving the context stops the thread at once if the result is not there yet.
    """
    stop = Event()
    with ThreadPoolExecutor(1) as background:
        try:
            yield background.submit(lambda: [_digest(file, stop) for file in files])
        finally:
            stop.set()


def _digest(file: Path, stop: Event) -> dict[str, Any]:
    """The file's name, never its folder, its size and its sha256."""
    summary, size, piece = hashlib.sha256(), 0, memoryview(bytearray(_PIECE))
    with file.open("rb", buffering=0) as stream:
        while (count := stream.readinto(piece)) and not stop.is_set():
            summary.update(piece[:count])
            size += count
    return {"name": file.name, "bytes": size, "sha256": summary.hexdigest()}
