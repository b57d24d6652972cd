from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stable_tiles.errors import InputError, MissingExtra, NotAnImage
from stable_tiles.image.sources import SourceOptions, open_source
from stable_tiles.image.sources.bio import PLUGINS, BioSource
from stable_tiles.region import Region


@pytest.mark.parametrize("suffix", PLUGINS)
def test_without_bioio_the_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setitem(sys.modules, "bioio", None)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"of a microscope")
    with pytest.raises(MissingExtra, match=f"pip install bioio {PLUGINS[suffix]}"):
        open_source([path])


@pytest.mark.filterwarnings("ignore")
def test_pixels_sizes_and_channels_are_those_that_bioio_finds(tmp_path: Path) -> None:
    pytest.importorskip("bioio_ome_tiff")
    pixels = np.arange(2 * 3 * 40 * 30, dtype=np.uint16).reshape(2, 3, 40, 30)
    path = tmp_path / "a.ome.tif"
    metadata = {
        "axes": "CZYX",
        "PhysicalSizeX": 0.25,
        "PhysicalSizeY": 0.5,
        "PhysicalSizeZ": 2.0,
        "Channel": {"Name": ["DAPI", "GFP"]},
    }
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=metadata)
    source = BioSource(path, SourceOptions())
    described = source.description
    assert described.shape == (1, 2, 3, 40, 30)
    assert described.axes.scale == {"z": 2.0, "y": 0.5, "x": 0.25}
    assert [channel.name for channel in described.channels] == ["DAPI", "GFP"]
    part = Region((0, 1, 5, 6), (1, 3, 30, 20))
    assert np.array_equal(source.read(part)[0], pixels[:, 1:3, 5:30, 6:20])
    with pytest.raises(InputError, match="--series 3"):
        BioSource(path, SourceOptions(series=3))


@pytest.mark.filterwarnings("ignore")
def test_what_no_plugin_reads_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("bioio")
    (tmp_path / "a.czi").write_bytes(b"ZISRAWFILE" + bytes(600))
    with pytest.raises((MissingExtra, NotAnImage)) as caught:
        open_source([tmp_path / "a.czi"])
    assert "\n" not in str(caught.value)
