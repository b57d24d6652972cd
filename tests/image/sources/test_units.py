from __future__ import annotations

import pytest

from stable_tiles.image.sources.units import space_unit, time_unit


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("µm", "micrometer"),
        ("\\u00B5m", "micrometer"),
        ("micron", "micrometer"),
        ("Micrometers", "micrometer"),
        ("micrometre", "micrometer"),
        ("mm", "millimeter"),
        ("Å", "angstrom"),
        ("inch", "inch"),
        ("pixel", None),
        ("reference frame", None),
        ("", None),
        (None, None),
    ],
)
def test_units_of_length_are_spelled_as_ngff_does(text: str | None, unit: str | None) -> None:
    assert space_unit(text) == unit


@pytest.mark.parametrize(
    ("text", "unit"),
    [("s", "second"), ("sec", "second"), ("ms", "millisecond"), ("min", "minute"), ("hz", None)],
)
def test_units_of_time_are_spelled_as_ngff_does(text: str, unit: str | None) -> None:
    assert time_unit(text) == unit
