from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import WorkFailed
from stable_tiles.image.sources.raw import RawPlanes, read_at

PIXELS = np.arange(3 * 11 * 7 * 2, dtype=">i2").reshape(3, 11, 7, 2)


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawPlanes]:
    path = tmp_path_factory.mktemp("raw") / "a.raw"
    path.write_bytes(b"header" + PIXELS.tobytes())
    file = os.open(path, os.O_RDONLY)
    yield RawPlanes("a.raw", file, 6, (11, 7, 2), PIXELS.dtype)
    os.close(file)


@settings(deadline=None, max_examples=50)
@given(
    plane=st.integers(0, 2),
    y=st.tuples(st.integers(0, 10), st.integers(1, 11)).filter(lambda p: p[0] < p[1]),
    x=st.tuples(st.integers(0, 6), st.integers(1, 7)).filter(lambda p: p[0] < p[1]),
)
def test_a_box_equals_the_slice_in_native_byte_order(
    planes: RawPlanes, plane: int, y: tuple[int, int], x: tuple[int, int]
) -> None:
    box = planes.box(plane, slice(*y), slice(*x))
    assert box.dtype == np.dtype("i2")
    assert np.array_equal(box, PIXELS[plane, slice(*y), slice(*x)])


def test_a_file_that_ends_early_is_named(planes: RawPlanes) -> None:
    with pytest.raises(WorkFailed, match=r"a\.raw ends before its pixels do"):
        planes.box(3, slice(0, 1), slice(0, 7))


def test_bytes_are_read_up_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        assert read_at(file.fileno(), 4, 3) == b"3456"
        assert read_at(file.fileno(), 40, 7) == b"789"
        assert read_at(file.fileno(), 4, 20) == b""
