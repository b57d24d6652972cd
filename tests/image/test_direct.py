from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, ZstdCodec
from zarr.storage import MemoryStore

from stable_tiles.image.direct import direct_reader

SHAPE = (3, 41, 50)
CHUNKS = (2, 8, 16)
SHARDS = (2, 24, 32)
WHOLE = tuple(slice(0, n) for n in SHAPE)


def write(
    path: Path, dtype: str = "uint16", shards: Any = SHARDS, codec: Any = "auto", **kinds: Any
) -> zarr.Array[Any]:
    given = ZstdCodec(level=1, checksum=True) if codec == "auto" else codec
    array = zarr.create_array(
        path, shape=SHAPE, dtype=dtype, chunks=CHUNKS, shards=shards, compressors=given, **kinds
    )
    rng = np.random.default_rng(0)
    array[...] = rng.integers(1, 100, SHAPE).astype(dtype)
    return zarr.open_array(path, mode="r")


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> list[zarr.Array[Any]]:
    folder = tmp_path_factory.mktemp("arrays")
    return [
        write(folder / f"{dtype}-{shards is None}-{codec}", dtype, shards, codec)
        for dtype in ("uint8", "uint16", "float32")
        for shards in (None, SHARDS)
        for codec in ("auto", None)
    ]


@settings(deadline=None, max_examples=80)
@given(
    st.integers(0, 11),
    st.tuples(*(st.tuples(st.integers(0, n - 1), st.integers(1, n)) for n in SHAPE)),
)
def test_a_window_reads_as_zarr_reads_it(
    arrays: list[zarr.Array[Any]], which: int, ends: tuple[tuple[int, int], ...]
) -> None:
    window = tuple(slice(min(a, b - 1), max(a + 1, b)) for a, b in ends)
    reader = direct_reader(arrays[which])
    assert reader is not None
    pixels = reader.read(window)
    assert pixels is not None
    assert pixels.dtype == arrays[which].dtype
    np.testing.assert_array_equal(pixels, np.asarray(arrays[which][window]))


def test_threads_do_not_share_what_they_decode_into(arrays: list[zarr.Array[Any]]) -> None:
    reader = direct_reader(arrays[6])
    assert reader is not None
    expected = np.asarray(arrays[6][WHOLE])
    with ThreadPoolExecutor(4) as pool:
        for pixels in pool.map(reader.read, [WHOLE] * 64):
            np.testing.assert_array_equal(pixels, expected)


def test_reading_again_leaves_earlier_pixels_alone(arrays: list[zarr.Array[Any]]) -> None:
    reader = direct_reader(arrays[4])
    assert reader is not None
    first = reader.read((slice(0, 2), slice(0, 8), slice(0, 16)))
    kept = np.array(first)
    reader.read((slice(0, 2), slice(8, 16), slice(16, 32)))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    "kinds",
    [
        {"codec": BloscCodec()},
        {"codec": GzipCodec()},
        {"codec": [GzipCodec(), ZstdCodec()]},
        {"serializer": BytesCodec(endian="big"), "shards": None},
        {"zarr_format": 2, "shards": None, "codec": None},
    ],
)
def test_what_is_uncommon_is_left_to_zarr(tmp_path: Path, kinds: dict[str, Any]) -> None:
    assert direct_reader(write(tmp_path / "a", **kinds)) is None


def test_stores_that_are_no_local_folder_are_left_to_zarr() -> None:
    array = zarr.create_array(MemoryStore(), shape=SHAPE, dtype="uint8", chunks=CHUNKS)
    assert direct_reader(array) is None


def flipped(data: bytes, where: int) -> bytes:
    return data[:where] + bytes([data[where] ^ 4]) + data[where + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:40],
        lambda data: b"",
        lambda data: flipped(data, 100),
        lambda data: flipped(data, len(data) - 1),
        lambda data: flipped(data, len(data) - 10),
    ],
)
@pytest.mark.parametrize("shards", [None, SHARDS])
def test_broken_chunks_and_indices_are_left_to_zarr(
    tmp_path: Path, damage: Callable[[bytes], bytes], shards: tuple[int, ...] | None
) -> None:
    reader = direct_reader(write(tmp_path / "a", shards=shards))
    assert reader is not None
    file = tmp_path / "a" / "c" / "0" / "0" / "0"
    file.write_bytes(damage(file.read_bytes()))
    assert reader.read(WHOLE) is None


@pytest.mark.parametrize("shards", [None, SHARDS])
def test_missing_chunks_are_left_to_zarr(tmp_path: Path, shards: tuple[int, ...] | None) -> None:
    path = tmp_path / "a"
    array = zarr.create_array(path, shape=SHAPE, dtype="uint8", chunks=CHUNKS, shards=shards)
    array[:2, :8, :16] = 1
    reader = direct_reader(zarr.open_array(path, mode="r"))
    assert reader is not None
    assert reader.read((slice(0, 2), slice(0, 8), slice(0, 16))) is not None
    assert reader.read((slice(0, 2), slice(0, 9), slice(0, 16))) is None


def test_a_chunk_of_another_size_is_left_to_zarr(tmp_path: Path) -> None:
    reader = direct_reader(write(tmp_path / "a", "uint8", None, None))
    assert reader is not None
    file = tmp_path / "a" / "c" / "0" / "0" / "0"
    file.write_bytes(file.read_bytes() * 2)
    assert reader.read(WHOLE) is None
