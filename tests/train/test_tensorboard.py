import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import pytest

from stable_tiles.train.tensorboard import NAME, Board


def masked(data: bytes) -> int:
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def records(file: Path) -> Iterator[bytes]:
    content = file.read_bytes()
    while content:
        length, crc = struct.unpack("<QI", content[:12])
        assert crc == masked(content[:8])
        data, (crc,) = content[12 : 12 + length], struct.unpack("<I", content[12 + length :][:4])
        assert crc == masked(data)
        yield data
        content = content[16 + length :]


def fields(message: bytes) -> dict[int, list[int | bytes]]:
    """A protocol buffers message by field number: an independent reader."""
    found: dict[int, list[int | bytes]] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128:
                return value

    while at < len(message):
        key = number()
        if key & 7 == 0:
            found.setdefault(key >> 3, []).append(number())
            continue
        size = {1: 8, 5: 4}.get(key & 7) or number()
        found.setdefault(key >> 3, []).append(message[at : at + size])
        at += size
    return found


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    """Steps, tags and values of a board."""
    seen = []
    for event in map(fields, records(folder / NAME)):
        for summary in event.get(5, []):
            assert isinstance(summary, bytes)
            for value in fields(summary)[1]:
                assert isinstance(value, bytes)
                parts = fields(value)
                tag, (step,) = parts[1][0], event[2]
                assert isinstance(tag, bytes)
                assert isinstance(step, int)
                if 2 in parts:
                    assert isinstance(parts[2][0], bytes)
                    seen.append((step, tag.decode(), struct.unpack("<f", parts[2][0])[0]))
    return seen


def test_numbers_are_where_tensorboard_reads_them(tmp_path: Path) -> None:
    board = Board(tmp_path / "tensorboard")
    board.scalars(300, {"losses/total": 1.5, "losses/cycle": 0.25})
    board.scalars(70_000, {"losses/total": -2.0})
    first = fields(next(records(tmp_path / "tensorboard" / NAME)))
    assert first[3] == [b"brain.Event:2"]
    assert scalars(tmp_path / "tensorboard") == [
        (300, "losses/total", 1.5),
        (300, "losses/cycle", 0.25),
        (70_000, "losses/total", -2.0),
    ]


def test_an_image_keeps_its_png_and_size(tmp_path: Path) -> None:
    Board(tmp_path).image(5, "preview", b"\x89PNG...", (20, 300))
    (_, event) = map(fields, records(tmp_path / NAME))
    assert isinstance(event[5][0], bytes)
    value = fields(event[5][0])[1][0]
    assert isinstance(value, bytes)
    image = fields(value)[4][0]
    assert isinstance(image, bytes)
    assert fields(image) == {1: [20], 2: [300], 3: [3], 4: [b"\x89PNG..."]}


@pytest.mark.parametrize("torn", [b"", b"\x01", b"\x30\0\0\0\0\0\0\0half a record"])
def test_going_on_from_a_step_leaves_no_later_and_no_torn_event(
    tmp_path: Path, torn: bytes
) -> None:
    board = Board(tmp_path)
    for step in (100, 200, 300):
        board.scalars(step, {"total": float(step)})
    with (tmp_path / NAME).open("ab") as stream:
        stream.write(torn)
    board.keep(200)
    board.scalars(300, {"total": 3.0})
    assert scalars(tmp_path) == [(100, "total", 100.0), (200, "total", 200.0), (300, "total", 3.0)]


def test_nothing_is_written_before_the_first_event(tmp_path: Path) -> None:
    Board(tmp_path / "tensorboard").keep(0)
    assert not (tmp_path / "tensorboard").exists()
