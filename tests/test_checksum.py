from __future__ import annotations

from pathlib import Path

import google_crc32c
import pytest

from stable_tiles.checksum import file_checksum


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "00000000"),
        (b"123456789", "e3069283"),
        (bytes(32), "8a9136aa"),
        (b"\xff" * 32, "62a8ab43"),
    ],
    ids=["nothing", "digits", "zeros", "ones"],
)
def test_the_sums_are_those_of_rfc_3720(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "a").write_bytes(content)
    assert file_checksum(tmp_path / "a") == (len(content), expected)


def test_a_bit_anywhere_changes_the_sum_and_reading_can_be_stopped(tmp_path: Path) -> None:
    content = bytearray(range(251)) * 12_600
    (tmp_path / "a").write_bytes(content)
    _, before = file_checksum(tmp_path / "a")
    assert before == f"{google_crc32c.value(bytes(content)):08x}"
    content[-1] ^= 1
    (tmp_path / "a").write_bytes(content)
    assert file_checksum(tmp_path / "a")[1] != before
    answers = iter([False, True])
    assert file_checksum(tmp_path / "a", lambda: next(answers))[0] == 2**20
