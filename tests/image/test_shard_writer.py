from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.image.codec import Codec
from stable_tiles.image.shard_writer import shard_writer
from stable_tiles.image.verify import verify
from stable_tiles.image.writer import create_store
from stable_tiles.region import Region
from tests.image.stores import begin, cut, write_store

AXES = ("yx", "cyx", "tzyx", "tczyx")


def noise(shape: tuple[int, ...], dtype: str) -> Any:
    return np.random.default_rng(1).integers(0, 99, shape).astype(dtype)


@settings(deadline=None, max_examples=12)
@given(
    axes=st.sampled_from(AXES),
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    dtype=st.sampled_from(["uint8", "uint16", "int16", "float32", "float64", "bool"]),
    shard=st.sampled_from([64, 128]),
)
def test_zarr_reads_every_level_and_finds_no_fault(
    tmp_path_factory: pytest.TempPathFactory,
    axes: str,
    size: tuple[int, int],
    dtype: str,
    shard: int,
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    lengths = {"t": 3, "c": 3, "z": 2, "y": size[0], "x": size[1]}
    pixels = noise(tuple(lengths[name] for name in axes), dtype)
    image = write_store(folder / "a.zarr", pixels, axes, chunk=32, shard=shard)
    assert np.array_equal(np.asarray(image.levels[0].array[...]), pixels)
    assert verify(image) == []


@pytest.mark.parametrize("name", ["zstd:1", "zstd:5", "none"])
def test_chunks_are_the_bytes_that_zarr_would_write(tmp_path: Path, name: str) -> None:
    """Zarr, given the same pixels, makes a shard of the same size out of the same chunks."""
    pixels = noise((100, 90), "uint16")
    spec = begin(tmp_path / "spec.zarr", pixels, "yx", chunk=32, shard=128).spec

    spec = replace(spec, codec=Codec.parse(name))
    ours = create_store(tmp_path / "a.zarr", spec, {})
    region = spec.layout.regions()[0]
    ours.write(region, cut(pixels.reshape(1, 1, 1, 100, 90), region))
    theirs = create_store(tmp_path / "b.zarr", spec, {})
    array = zarr.open_array(str(theirs.store / "0"), mode="r+")
    array.with_config({"write_empty_chunks": True})[...] = pixels
    one, other = (
        tmp_path / f"{name}.zarr.partial" / "store" / "0" / "c" / "0" / "0" for name in "ab"
    )
    assert one.stat().st_size == other.stat().st_size
    assert sorted(_pieces(one, 16)) == sorted(_pieces(other, 16))
    assert not list((tmp_path / "a.zarr.partial").rglob("*.partial"))


def _pieces(shard: Path, chunks: int) -> list[bytes]:
    data = shard.read_bytes()
    index = np.frombuffer(data[-16 * chunks - 4 : -4], "<u8").reshape(-1, 2).tolist()
    return [data[a : a + n] for a, n in index if a != 2**64 - 1]


def test_a_part_of_a_shard_is_refused(tmp_path: Path) -> None:
    pixels = noise((300, 300), "uint8")
    writer = begin(tmp_path / "a.zarr", pixels, "yx", chunk=32, shard=128)
    shards = shard_writer(writer.store, writer.spec)
    assert shards is not None
    part = Region((0, 0, 32, 0), (1, 1, 64, 128))
    with pytest.raises(ValueError, match="does not begin with a shard"):
        shards.write(0, part, pixels[32:64, :128].reshape(1, 1, 1, 32, 128))


def test_stores_without_shards_or_with_blosc_are_left_to_zarr(tmp_path: Path) -> None:

    pixels = noise((90, 90), "uint8")
    plain = begin(tmp_path / "a.zarr", pixels, "yx", chunk=32, shard=0)
    assert shard_writer(plain.store, plain.spec) is None
    sharded = begin(tmp_path / "b.zarr", pixels, "yx", chunk=32, shard=64)
    blosc = replace(sharded.spec, codec=Codec.parse("blosc"))
    assert shard_writer(sharded.store, blosc) is None


def test_a_write_that_fails_leaves_no_file(tmp_path: Path) -> None:
    pixels = noise((90, 90), "uint8")
    writer = begin(tmp_path / "a.zarr", pixels, "yx", chunk=32, shard=64)
    shards = shard_writer(writer.store, writer.spec)
    assert shards is not None

    def full(_: Any) -> bytes:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        replace(shards, encode=full).write(
            0, Region((0, 0, 0, 0), (1, 1, 64, 64)), pixels[:64, :64].reshape(1, 1, 1, 64, 64)
        )
    assert not list((tmp_path / "a.zarr.partial" / "store" / "0" / "c").rglob("*.partial"))
