from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as untyped_nibabel
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.convert.options import Said
from stable_tiles.image.store import open_image
from stable_tiles.region import Region

nibabel: Any = untyped_nibabel
GREY = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)


@settings(deadline=None, max_examples=8)
@given(
    height=st.integers(150, 260),
    width=st.integers(150, 260),
    where=st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
)
def test_a_dots_centroid_agrees_on_all_levels_to_a_tenth_of_a_pixel(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, where: tuple[float, float]
) -> None:
    folder = tmp_path_factory.mktemp("dot")
    y, x = np.mgrid[:height, :width]
    middle = (where[0] * height, where[1] * width)
    dot = 4000 * np.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / (2 * 12.0**2))
    tifffile.imwrite(folder / "a.tif", dot.astype(np.float32))
    options = ConvertOptions(Said(pixel_size=(0.5, 0.25)), chunk=32, shard=64)
    convert(folder / "a.tif", folder / "a.zarr", options)
    image = open_image(folder / "a.zarr")
    described = json.loads((folder / "a.zarr" / "zarr.json").read_text())
    datasets = described["attributes"]["ome"]["multiscales"][0]["datasets"]
    assert len(image.levels) >= 4
    centroids = []
    for level, dataset in zip(image.levels, datasets, strict=True):
        pixels = np.asarray(level.array[...], np.float64)
        scale, shift = (
            t.get("scale") or t["translation"] for t in dataset["coordinateTransformations"]
        )
        place = [
            (pixels.sum(axis=1 - axis) * np.arange(n)).sum() / pixels.sum() * scale[axis]
            + shift[axis]
            for axis, n in enumerate(pixels.shape)
        ]
        centroids.append([place[0] / 0.5, place[1] / 0.25])
    assert np.abs(np.array(centroids) - centroids[0]).max() < 0.1


def scale_of(path: Path, folder: Path) -> tuple[dict[str, float], dict[str, str | None]]:
    convert(path, folder / "a.zarr", ConvertOptions(region=Region((0, 0), (16, 16))))
    image = open_image(folder / "a.zarr")
    return image.axes.scale, image.axes.units


SIZES = [(0.123456, 0.654321), (2.0, 0.0321), (0.5, 0.5)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("unit", "factor"), [("CENTIMETER", 1e4), ("INCH", 25_400.0)])
def test_sizes_from_tiff_resolution(
    tmp_path: Path, size: tuple[float, float], unit: str, factor: float
) -> None:
    y, x = size
    tifffile.imwrite(
        tmp_path / "a.tif", GREY, resolution=(factor / x, factor / y), resolutionunit=unit
    )
    scale, units = scale_of(tmp_path / "a.tif", tmp_path)
    assert scale == pytest.approx({"y": y, "x": x}, rel=1e-6)
    assert units == {"y": "micrometer", "x": "micrometer"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("unit", "spelled"), [("µm", "micrometer"), ("nm", "nanometer"), ("mm", "millimeter")]
)
def test_sizes_from_ome_xml(
    tmp_path: Path, size: tuple[float, float], unit: str, spelled: str
) -> None:
    y, x = size
    metadata = {"PhysicalSizeY": y, "PhysicalSizeX": x, "axes": "YX"}
    metadata |= {"PhysicalSizeYUnit": unit, "PhysicalSizeXUnit": unit}
    tifffile.imwrite(tmp_path / "a.ome.tif", GREY, metadata=metadata)
    assert scale_of(tmp_path / "a.ome.tif", tmp_path) == (
        {"y": y, "x": x},
        {"y": spelled, "x": spelled},
    )


@pytest.mark.parametrize("size", SIZES)
def test_sizes_from_imagej(tmp_path: Path, size: tuple[float, float]) -> None:
    y, x = size
    tifffile.imwrite(
        tmp_path / "a.tif", GREY, imagej=True, resolution=(1 / x, 1 / y), metadata={"unit": "nm"}
    )
    scale, units = scale_of(tmp_path / "a.tif", tmp_path)
    assert scale == pytest.approx({"y": y, "x": x}, rel=1e-6)
    assert units == {"y": "nanometer", "x": "nanometer"}


def test_sizes_from_an_aperio_description(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "1_wsi" / "CMU-1-Small-Region.svs"
    assert scale_of(path, tmp_path)[0] == {"y": 0.499, "x": 0.499}


def test_sizes_from_nifti(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((20, 30, 4), np.int16), np.eye(4))
    image.header.set_zooms((0.46875, 0.7, 5.5))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "a.nii")
    scale, units = scale_of(tmp_path / "a.nii", tmp_path)
    assert scale == pytest.approx({"z": 5.5, "y": 0.7, "x": 0.46875}, rel=1e-6)
    assert set(units.values()) == {"millimeter"}


def test_channels_have_the_files_names_and_colours_and_windows_of_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal([[[500]], [[9000]]], 50, (2, 200, 200)).astype(np.uint16)
    metadata = {
        "axes": "CYX",
        "PhysicalSizeX": 1.0,
        "PhysicalSizeY": 1.0,
        "Channel": {"Name": ["DAPI", "GFP"], "Color": [65535, 16711935]},
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata=metadata)
    convert(tmp_path / "a.ome.tif", tmp_path / "a.zarr")
    described = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]
    channels = described["ome"]["omero"]["channels"]
    assert [(c["label"], c["color"]) for c in channels] == [("DAPI", "0000FF"), ("GFP", "00FF00")]
    for channel, plane in zip(channels, pixels, strict=True):
        low, high = np.percentile(plane, [0.1, 99.9])
        assert channel["window"] == pytest.approx(
            {"min": 0, "max": 65535, "start": low, "end": high}
        )


def test_original_metadata_is_kept_its_text_only_on_request(
    tmp_path: Path, shared_data: Path
) -> None:
    path = shared_data / "1_wsi" / "CMU-1-Small-Region.svs"
    part = Region((0, 0), (64, 64))
    convert(path, tmp_path / "a.zarr", ConvertOptions(region=part))
    convert(path, tmp_path / "b.zarr", ConvertOptions(region=part, keep_associated=True))
    plain, full = (
        open_image(tmp_path / f"{name}.zarr").attributes["original"]["description"] for name in "ab"
    )
    assert (plain["AppMag"], plain["MPP"], plain["Left"]) == (20, 0.499, 25.691574)
    assert not {"User", "Date", "Time", "Filename", "ScanScope ID", "ImageID"} & set(plain)
    assert full["ScanScope ID"] == "CPAPERIOCS"
    convert(tmp_path / "a.zarr", tmp_path / "c.zarr")
    assert open_image(tmp_path / "c.zarr").attributes["original"]["description"] == plain
