from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from stable_tiles.convert import convert
from stable_tiles.image.store import open_image
from stable_tiles.region import Region
from tests.convert.layouts import CASES, Case, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"
WRITE_VARIABLE = "STABLE_TILES_WRITE_DOCS"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.format}, {case.layout}")
def test_every_layout_converts_to_the_pixels_that_its_own_program_finds(
    tmp_path: Path, shared_data: Path, case: Case
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    made = case.make(folder, shared_data)
    convert(made.sources, tmp_path / "a.zarr", made.options)
    image = open_image(tmp_path / "a.zarr")
    t, _, z, y, x = image.shape
    found = image.read(Region.whole((t, z, y, x)))
    assert found.dtype == made.pixels.dtype.newbyteorder("=")
    assert np.array_equal(found, made.pixels)
    if made.scale is not None:
        stated = {name: image.axes.scale[name] for name in made.scale}
        assert stated == pytest.approx(made.scale, rel=1e-6)
        spatial = {image.axes.units[name] for name in "yx"}
        assert len(spatial) == 1
        assert None not in spatial


def test_the_documents_table_is_that_of_the_tests() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    expected = before + BEGIN + table() + END + after
    if os.environ.get(WRITE_VARIABLE):
        DOCUMENT.write_text(expected, encoding="utf-8")
    assert text == expected, f"run this test with {WRITE_VARIABLE}=1 to write the table"
