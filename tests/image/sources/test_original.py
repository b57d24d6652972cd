from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from stable_tiles.image.sources.original import numbers_only, original_metadata, plain_json

TREES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(TREES)
def test_any_tree_becomes_json(tree: Any) -> None:
    json.dumps(plain_json(tree), allow_nan=False)


@given(TREES)
def test_only_numbers_are_left(tree: Any) -> None:
    def leaves(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [leaf for inner in value.values() for leaf in leaves(inner)]
        return (
            [leaf for inner in value for leaf in leaves(inner)]
            if isinstance(value, list)
            else [value]
        )

    kept = numbers_only(plain_json(tree))
    assert kept is None or all(isinstance(leaf, bool | int | float) for leaf in leaves(kept))


@pytest.mark.parametrize(
    "key",
    ["User", "Date", "Time", "Patient Age", "SlideID", "Image id", "barcode", "DateTime", "UUID"],
)
def test_numbers_of_identity_and_dates_are_dropped(key: str) -> None:
    assert numbers_only({key: "20091229", "ExposureTime": "0.25", "Gain": 3}) == {
        "ExposureTime": 0.25,
        "Gain": 3,
    }


@pytest.mark.parametrize("text", ["007", "12/29/09", "1e999x", "", "4.2.1", "b414003d"])
def test_codes_are_no_numbers(text: str) -> None:
    assert numbers_only(text) is None


DESCRIPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "aperio": (
        "Aperio v11\n20x20|AppMag = 20|User = b41|MPP = 0.499",
        {"AppMag": 20, "MPP": 0.499},
    ),
    "lines": ("ImageJ=1.53t\nframes=7\nunit=um\nfinterval=0.5", {"frames": 7, "finterval": 0.5}),
    "json": (
        '{"exposure_ms": 5, "operator": "me", "rois": [1, 2]}',
        {"exposure_ms": 5, "rois": [1, 2]},
    ),
    "xml": (
        '<Scan Gain="3"><User>me</User><Depth>1.5</Depth></Scan>',
        {"Scan": {"Gain": 3, "Depth": 1.5}},
    ),
    "text": ("taken by me", {}),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_descriptions_are_kept_in_their_own_structure(tmp_path: Path, name: str) -> None:
    text, numbers = DESCRIPTIONS[name]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), description=text, metadata=None)
    with tifffile.TiffFile(path) as tiff:
        found = original_metadata(tiff.series[0])
    assert found["tags"]["ImageWidth"] == 8
    assert not {"StripOffsets", "StripByteCounts", "ImageDescription"} & set(found["tags"])
    assert (numbers_only(found["description"]) or {}) == numbers
    assert "me" in json.dumps(found) or name in {"aperio", "lines"}
