from __future__ import annotations

import pytest

from stable_tiles.errors import InputError
from stable_tiles.region import Region
from stable_tiles.translate.parse import (
    parse_channels,
    parse_part,
    parse_planes,
    parse_region,
    parse_size,
)


def test_texts_mean_what_they_say() -> None:
    assert parse_region("10:20, 30:44") == Region((10, 30), (20, 44))
    assert parse_planes("t=0:10,z=5") == {"t": (0, 10), "z": (5, 6)}
    assert parse_channels("2,0") == (2, 0)
    assert parse_part("3/8") == (3, 8)
    assert parse_size("--tile", "auto") == "auto"
    assert parse_size("--tile", "512") == 512


@pytest.mark.parametrize("text", ["", "1:2", "5:5,0:1", "3:1,0:1", "a:b,c:d", "-1:2,0:1"])
def test_a_text_that_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--region"):
        parse_region(text)


@pytest.mark.parametrize("text", ["", "t", "t=3:3", "x=1", "t=1,t=2", "z=5:1"])
def test_a_text_that_names_no_planes_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--planes"):
        parse_planes(text)


@pytest.mark.parametrize("text", ["", "a", "1,", "-1"])
def test_a_text_that_names_no_channels_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--channels"):
        parse_channels(text)


def test_wrong_sizes_and_parts_are_refused_by_the_option_s_name() -> None:
    with pytest.raises(InputError, match="--halo 'x'"):
        parse_size("--halo", "x")
    with pytest.raises(InputError, match="--part"):
        parse_part("2")
