from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from stable_tiles.image.sources.calibration import calibration_of
from stable_tiles.image.sources.source import Calibration


def written(path: Path, **arguments: Any) -> Calibration:
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), **arguments)
    with tifffile.TiffFile(path) as tiff:
        return calibration_of(tiff, 0)


def test_a_microscopes_resolution_is_taken(tmp_path: Path) -> None:
    found = written(
        tmp_path / "a.tif", resolution=(40_000, 20_000), resolutionunit="CENTIMETER", metadata=None
    )
    assert found.scale == {"y": 0.5, "x": 0.25}
    assert set(found.units.values()) == {"micrometer"}


@pytest.mark.parametrize("dots", [72, 96, 300])
def test_a_screens_resolution_is_no_pixel_size(tmp_path: Path, dots: int) -> None:
    found = written(tmp_path / "a.tif", resolution=(dots, dots), resolutionunit="INCH")
    assert not found.scale


def test_a_resolution_without_a_unit_is_no_pixel_size(tmp_path: Path) -> None:
    assert not written(tmp_path / "a.tif").scale


def test_imagej_without_a_unit_has_no_pixel_size(tmp_path: Path) -> None:
    assert not written(tmp_path / "a.tif", imagej=True).scale


def test_imagej_lookup_tables_give_colours(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint8)
    zero = np.zeros(256, np.uint8)
    tables = [np.stack([zero, ramp, zero]), np.stack([ramp, zero, ramp])]
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.zeros((2, 8, 8), np.uint8),
        imagej=True,
        metadata={"axes": "CYX", "LUTs": tables, "mode": "composite"},
    )
    with tifffile.TiffFile(path) as tiff:
        channels = calibration_of(tiff, 0).channels
    assert [c.color for c in channels] == ["00FF00", "FF00FF"]


def test_qptiff_names_its_channels(shared_data: Path) -> None:
    with tifffile.TiffFile(shared_data / "1_wsi" / "vectra_tma_core.qptiff") as tiff:
        found = calibration_of(tiff, 0)
    assert [(c.name, c.color) for c in found.channels] == [
        ("DAPI", "0000FF"),
        ("FITC", "00FF00"),
        ("Cy3", "FFFF00"),
    ]
    assert found.metadata == {"format": "qptiff", "objective": 10.0}
    assert found.scale["x"] == pytest.approx(0.4965, abs=1e-4)


def test_ndpi_states_size_and_objective(shared_data: Path) -> None:
    with tifffile.TiffFile(shared_data / "1_wsi" / "hamamatsu_test3-DAPI.ndpi") as tiff:
        found = calibration_of(tiff, 0)
    assert found.metadata == {"format": "ndpi", "objective": 40.0}
    assert found.scale["y"] == pytest.approx(0.2282, abs=1e-4)
