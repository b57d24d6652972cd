from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import WorkFailed
from stable_tiles.image.sources.inflate import Inflated, inflate, is_gzip, stated_size

CONTENT = np.random.default_rng(0).integers(0, 40, 3_000_000, np.uint8).tobytes()


@given(
    members=st.lists(st.binary(max_size=5000), min_size=1, max_size=4),
    padding=st.integers(0, 3),
)
@settings(deadline=None, max_examples=40)
def test_members_follow_one_another_whatever_zeros_lie_between(
    tmp_path_factory: pytest.TempPathFactory, members: list[bytes], padding: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "members.gz"
    path.write_bytes(b"".join(gzip.compress(m) + bytes(padding) for m in members))
    assert b"".join(inflate(path)) == b"".join(members)


@given(offset=st.integers(0, 9_000), stops=st.lists(st.integers(0, 20_000), max_size=4))
@settings(deadline=None, max_examples=30)
def test_whatever_was_asked_for_is_there(
    tmp_path_factory: pytest.TempPathFactory, offset: int, stops: list[int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "a.gz"
    path.write_bytes(gzip.compress(CONTENT[:20_000]))
    wanted = CONTENT[offset:20_000]
    stream = Inflated(path, offset, len(wanted), None)
    for stop in stops:
        count = min(stop, len(wanted))
        assert os.pread(stream.upto(stop), count, 0) == wanted[:count]
    stream.close()


def test_no_more_is_inflated_than_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT))
    stream = Inflated(tmp_path / "a.gz", 0, len(CONTENT), tmp_path)
    assert 1000 <= os.fstat(stream.upto(1000)).st_size < len(CONTENT) / 2
    assert os.fstat(stream.upto(len(CONTENT))).st_size == len(CONTENT)
    stream.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]


@pytest.mark.parametrize("wanted", [len(CONTENT), len(CONTENT) // 2])
def test_a_checksum_that_does_not_agree_is_found_at_the_end(tmp_path: Path, wanted: int) -> None:
    stored = bytearray(gzip.compress(CONTENT))
    stored[-8] ^= 1
    (tmp_path / "a.gz").write_bytes(stored)
    stream = Inflated(tmp_path / "a.gz", 0, wanted, tmp_path)
    stream.upto(1000)
    for _ in range(2):
        with pytest.raises(WorkFailed, match=r"a\.gz is damaged"):
            stream.upto(wanted)
    stream.close()


@pytest.mark.parametrize("cut", [1, 9, 1000, 200_000])
def test_a_stream_that_is_cut_off_is_named(tmp_path: Path, cut: int) -> None:
    stored = gzip.compress(CONTENT)
    (tmp_path / "a.gz").write_bytes(stored[:-cut])
    with pytest.raises(WorkFailed, match=r"a\.gz is truncated"):
        list(inflate(tmp_path / "a.gz"))


def test_a_file_states_its_kind_and_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT))
    (tmp_path / "b").write_bytes(CONTENT)
    assert stated_size(tmp_path / "a.gz") == len(CONTENT)
    assert is_gzip(tmp_path / "a.gz")
    assert not is_gzip(tmp_path / "b")
