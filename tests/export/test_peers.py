"""What BioIO finds in files that were exported; it runs in an environment of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.export import export
from tests import peers

BIOIO = """
import numpy as np
import bioio_ome_tiff
from bioio import BioImage
image = BioImage(sys.argv[1], reader=bioio_ome_tiff.Reader)
np.save(sys.argv[2], image.get_image_data(sys.argv[3]))
size = image.physical_pixel_sizes
print(json.dumps({
    "scale": [size.Z, size.Y, size.X],
    "names": list(map(str, image.channel_names)),
}))
"""
SIZES = {
    "PhysicalSizeX": 0.125,
    "PhysicalSizeXUnit": "µm",
    "PhysicalSizeY": 0.25,
    "PhysicalSizeYUnit": "µm",
}


def test_bioio_finds_what_an_ome_tiff_held_before_it_was_converted(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4000, (2, 3, 4, 130, 90)).astype(np.uint16)
    metadata = {
        "axes": "TCZYX",
        "PhysicalSizeZ": 2.0,
        "PhysicalSizeZUnit": "µm",
        "TimeIncrement": 0.5,
        "TimeIncrementUnit": "s",
        "Channel": {"Name": ["DAPI", "GFP", "RFP"]},
        **SIZES,
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, photometric="minisblack", metadata=metadata)
    convert(tmp_path / "a.ome.tif", tmp_path / "a.zarr", ConvertOptions(chunk=64))
    export(tmp_path / "a.zarr", tmp_path / "b.ome.tif")
    said = peers.run(
        ("bioio", "bioio_ome_tiff"), BIOIO, tmp_path / "b.ome.tif", tmp_path / "b.npy", "TCZYX"
    )
    assert np.array_equal(np.load(tmp_path / "b.npy"), pixels)
    assert said["scale"] == pytest.approx([2.0, 0.25, 0.125], rel=1e-6)
    assert said["names"] == ["DAPI", "GFP", "RFP"]


def test_bioio_finds_the_colours_of_an_exported_slide(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (150, 90, 3)).astype(np.uint8)
    metadata = {"axes": "YXS", **SIZES}
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, photometric="rgb", metadata=metadata)
    convert(tmp_path / "a.ome.tif", tmp_path / "a.zarr", ConvertOptions(chunk=64))
    export(tmp_path / "a.zarr", tmp_path / "b.ome.tif")
    said = peers.run(
        ("bioio", "bioio_ome_tiff"), BIOIO, tmp_path / "b.ome.tif", tmp_path / "b.npy", "YXS"
    )
    assert np.array_equal(np.load(tmp_path / "b.npy"), pixels)
    assert said["scale"][1:] == pytest.approx([0.25, 0.125], rel=1e-6)
