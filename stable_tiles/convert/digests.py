"""Checksums of the source files, taken beside the work and given up when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from stable_tiles.checksum import file_checksum


@contextmanager
def digests_of(files: Sequence[Path]) -> Iterator[Future[list[dict[str, Any]]]]:
    """Name, size and crc32c of files, computed in a thread of their own.

    Leaving the context stops the thread at once if the result is not there yet.
    """
    stop = Event()
    with ThreadPoolExecutor(1) as background:
        try:
            yield background.submit(lambda: [_digest(file, stop) for file in files])
        finally:
            stop.set()


def _digest(file: Path, stop: Event) -> dict[str, Any]:
    """The file's name, never its folder, its size and its crc32c."""
    size, value = file_checksum(file, stop.is_set)
    return {"name": file.name, "bytes": size, "crc32c": value}
