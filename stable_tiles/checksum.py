"""Checksum: the crc32c of a file, which finds every torn, cut or changed one.

It guards against accidents, not against forgers, and costs a tenth of sha256,
which would be a fifth of the conversion of an uncompressed movie.  Object
stores keep the same sum of what they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import google_crc32c

_PIECE = 2**20


def file_checksum(file: Path, stopped: Callable[[], bool] = lambda: False) -> tuple[int, str]:
    """Size and crc32c (RFC 3720, Castagnoli's polynomial) of a file.

    Parameters
    ----------
    file : Path
        A file on a local disk.
    stopped : callable
        Asked before every mebibyte; when it says yes, the rest is left out.

    Returns
    -------
    (int, str)
        Bytes read, and eight hexadecimal digits.
    """
    size, value = 0, 0
    with file.open("rb", buffering=0) as stream:
        while not stopped() and (piece := stream.read(_PIECE)):
            value = google_crc32c.extend(value, piece)
            size += len(piece)
    return size, f"{value:08x}"
