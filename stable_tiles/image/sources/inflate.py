"""Inflate: random reads of a gzip stream, which itself is read once, from its start.

What was inflated lies in an unnamed file on disk, so memory stays a few
mebibytes however large the stream is.  It is inflated no further than
somebody asked, so that others compress what was read first meanwhile.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from stable_tiles.errors import WorkFailed, first_line

GZIP_SIGNATURE = b"\x1f\x8b"

_READ, _PIECE = 2**18, 2**20
_GZIP_WINDOW = 31
_TRAILER_BYTES = 4


class Inflated:
    """The bytes of a gzip file from an offset on.

    Safe to use from several threads.

    Parameters
    ----------
    path : Path
        The gzip file.
    offset, size : int
        Which of its inflated bytes are wanted.
    scratch : Path or None
        Folder of the unnamed file; the system's own by default.
    """

    def __init__(self, path: Path, offset: int, size: int, scratch: Path | None) -> None:
        self._name, self._size, self._done = path.name, size, 0
        self._pieces = _without(offset, inflate(path))
        self._lock, self._failure = Lock(), ""
        with tempfile.TemporaryFile(dir=scratch) as file:
            self._file = os.dup(file.fileno())

    def upto(self, stop: int) -> int:
        """Descriptor of a file that holds at least the first `stop` of the bytes.

        Raises
        ------
        WorkFailed
            If the stream is damaged or ends before.
        """
        with self._lock:
            if self._failure:
                raise WorkFailed(self._failure)
            try:
                self._inflate(stop)
            except WorkFailed as error:
                # Whoever asks next would hear that the stream just ends.
                self._failure = str(error)
                raise
        return self._file

    def close(self) -> None:
        """Close the unnamed file, which removes it."""
        os.close(self._file)

    def _inflate(self, stop: int) -> None:
        while self._done < min(stop, self._size):
            self._put(next(self._pieces, b""))
        if self._done >= self._size:
            # To the stream's end, where its own checksum is compared.
            for _ in self._pieces:
                pass

    def _put(self, piece: bytes) -> None:
        if not piece:
            raise WorkFailed(f"{self._name} ends before its pixels do: it is truncated")
        view = memoryview(piece)
        while view:
            view = view[os.write(self._file, view) :]
        self._done += len(piece)


def inflate(path: Path) -> Iterator[bytes]:
    """What a gzip file holds, piece by piece; its members follow one another.

    Raises
    ------
    WorkFailed
        If it is damaged or ends within a member.
    """
    with path.open("rb", buffering=0) as file:
        data = file.read(_READ)
        try:
            while data.startswith(GZIP_SIGNATURE):
                member = zlib.decompressobj(_GZIP_WINDOW)
                while not member.eof:
                    data = data or file.read(_READ)
                    piece = member.decompress(data, _PIECE)
                    if piece:
                        yield piece
                    elif not data:
                        raise WorkFailed(f"{path.name} is truncated: it ends within its pixels")
                    data = member.unconsumed_tail or member.unused_data
                data = (data + file.read(_READ)).lstrip(b"\0")
        except zlib.error as error:
            raise WorkFailed(f"{path.name} is damaged: {first_line(error)}") from error


def is_gzip(path: Path) -> bool:
    """Whether a file starts as gzip does."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_SIGNATURE


def stated_size(path: Path) -> int:
    """What a gzip file of one member says of its inflated size, modulo 2^32 (RFC 1952, ISIZE)."""
    with path.open("rb") as file:
        file.seek(-_TRAILER_BYTES, os.SEEK_END)
        return int.from_bytes(file.read(_TRAILER_BYTES), "little")


def _without(count: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces without the first bytes."""
    for piece in pieces:
        rest = piece[count:]
        count -= min(count, len(piece))
        if rest:
            yield rest
