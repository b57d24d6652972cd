from __future__ import annotations

from typing import Any

import pytest

from stable_tiles.convert.options import ConvertOptions, Said, parse_levels, parse_sizes
from stable_tiles.errors import InputError
from stable_tiles.image.codec import Codec


@pytest.mark.parametrize(
    "values",
    [
        {"pixel_size": (1.0,)},
        {"pixel_size": (1.0, 0.0)},
        {"pixel_size": (1.0, float("nan"))},
        {"pixel_size": (1.0, 1.0, 1.0, 1.0)},
        {"time_step": -1.0},
        {"unit": "parsnip"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Said(**values)


def test_overwrite_contradicts_resume() -> None:
    with pytest.raises(InputError, match="give one of them"):
        ConvertOptions(overwrite=True, resume=True)


def test_no_thread_is_no_number_of_workers() -> None:
    with pytest.raises(InputError, match="--workers 0"):
        ConvertOptions(workers=0)


def test_the_default_shard_is_a_multiple_of_the_chunk_and_none_for_ngff_04() -> None:
    assert ConvertOptions().shard_side == 4096
    assert ConvertOptions(chunk=1000).shard_side == 5000
    assert ConvertOptions(ngff="0.4").shard_side == 0
    assert ConvertOptions(shard=0).shard_side == 0


def test_the_default_codec_is_one_that_readers_of_the_version_know() -> None:
    assert ConvertOptions().compression == Codec("zstd", 1)
    assert ConvertOptions(ngff="0.4").compression.name == "blosc"
    assert ConvertOptions(ngff="0.4", codec=Codec("none", 0)).compression.name == "none"


def test_sizes_and_levels_are_read_from_text() -> None:
    assert parse_sizes("0.5,0.25,2") == (0.5, 0.25, 2.0)
    assert parse_levels("auto") == "auto"
    assert parse_levels("3") == 3
    with pytest.raises(InputError, match="write Y,X or Y,X,Z"):
        parse_sizes("a,b")
    with pytest.raises(InputError, match="a number or auto"):
        parse_levels("-1")
