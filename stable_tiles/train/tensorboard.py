"""TensorBoard's event files, written without TensorBoard.

The format is small: records of ``length, crc, data, crc`` (TFRecord) whose
data are `Event` messages in protocol buffers' wire format.  This module is
the only one that knows it.  ``pip install stable-tiles[tensorboard]`` is
needed to look at them only.

References
----------
tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import google_crc32c

NAME = "events.out.tfevents.0.stable-tiles"
"""The one file of a run; TensorBoard looks for ``tfevents`` in names."""

_HEADER = struct.Struct("<QI")
_DOUBLE, _FLOAT, _CRC = struct.Struct("<d"), struct.Struct("<f"), struct.Struct("<I")


class Board:
    """Appends scalars and images by step to a folder's event file.

    Parameters
    ----------
    folder : Path
        Made when the first event is written.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / NAME

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add numbers by tag at a step."""
        parts = (_text(1, tag) + b"\x15" + _FLOAT.pack(value) for tag, value in values.items())
        self._append(step, b"".join(_bytes(1, part) for part in parts))

    def image(self, step: int, tag: str, png: bytes, size: tuple[int, int]) -> None:
        """Add an RGB image of `size` (height, width) at a step."""
        colors = 3
        image = _integer(1, size[0]) + _integer(2, size[1]) + _integer(3, colors) + _bytes(4, png)
        self._append(step, _bytes(1, _text(1, tag) + _bytes(4, image)))

    def keep(self, step: int) -> None:
        """Remove the events of later steps, and a torn last one."""
        if self._file.exists():
            kept = [event for event in self._events() if _step(event) <= step]
            partial = self._file.with_suffix(".partial")
            partial.write_bytes(b"".join(map(_record, kept)))
            partial.replace(self._file)

    def _append(self, step: int, summary: bytes) -> None:
        if not self._file.exists():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_bytes(_record(_begin(0) + _text(3, "brain.Event:2")))
        with self._file.open("ab") as stream:
            stream.write(_record(_begin(step) + _bytes(5, summary)))

    def _events(self) -> Iterator[bytes]:
        content, at = self._file.read_bytes(), 0
        while at + _HEADER.size <= len(content):
            length, _ = _HEADER.unpack_from(content, at)
            stop = at + _HEADER.size + length
            event = content[stop - length : stop]
            if content[at : stop + _CRC.size] != _record(event):
                return
            yield event
            at = stop + _CRC.size


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return _CRC.pack(((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _begin(step: int) -> bytes:
    """The time and the step that every event begins with."""
    return b"\x09" + _DOUBLE.pack(time.time()) + _integer(2, step)


def _step(event: bytes) -> int:
    """The step of an event: the number after the time."""
    step, shift = 0, 0
    for byte in event[10:]:
        step |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return step


def _integer(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
