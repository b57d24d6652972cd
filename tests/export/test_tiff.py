from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stable_tiles.axes import Axes
from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.convert.options import Said
from stable_tiles.export import ExportOptions, export
from stable_tiles.export import tiff as module
from stable_tiles.image.ngff import Channel
from stable_tiles.image.store import open_image
from stable_tiles.region import Region
from tests.image.stores import write_store

RNG = np.random.default_rng(3)


def pixels_of(shape: tuple[int, ...], dtype: str = "uint16") -> Any:
    return RNG.integers(0, 120, shape).astype(dtype)


def squeezed(pixels: Any, axes: str) -> Any:
    """The pixels as tifffile gives them: colour samples last."""
    return np.moveaxis(pixels, axes.index("c"), -1) if "c" in axes else pixels


@settings(deadline=None, max_examples=12)
@example(axes="yx", size=(2, 1), dtype="uint8", chunk=48)
@given(
    axes=st.sampled_from(["yx", "zyx", "tyx", "cyx", "tcyx", "czyx", "tczyx"]),
    size=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    dtype=st.sampled_from(["uint8", "int8", "uint16", "int16", "uint32", "float32", "float64"]),
    chunk=st.sampled_from([48, 64, 100]),
)
def test_pixels_and_levels_of_an_ome_tiff_are_those_of_the_store(
    tmp_path_factory: pytest.TempPathFactory,
    axes: str,
    size: tuple[int, int],
    dtype: str,
    chunk: int,
) -> None:
    folder = tmp_path_factory.mktemp("export")
    lengths = {"t": 3, "c": 2, "z": 4, "y": size[0], "x": size[1]}
    pixels = pixels_of(tuple(lengths[name] for name in axes), dtype)
    image = write_store(folder / "a.zarr", pixels, axes, chunk=chunk, shard=2 * chunk)
    report = export(folder / "a.zarr", folder / "a.ome.tif")
    with tifffile.TiffFile(folder / "a.ome.tif") as tiff:
        assert tiff.is_ome
        (series,) = tiff.series
        assert len(series.levels) == len(image.levels) == report.levels
        for number, level in enumerate(image.levels):
            stored = np.asarray(level.array[...])
            found = series.levels[number].asarray()
            assert found.dtype == dtype
            assert np.array_equal(found.reshape(stored.shape), stored)
        assert tiff.pages.first.is_tiled


@pytest.mark.parametrize("axes", ["cyx", "tcyx", "czyx"])
def test_colour_pixels_stay_interleaved(tmp_path: Path, axes: str) -> None:
    pixels = pixels_of(tuple({"t": 2, "c": 3, "z": 2, "y": 150, "x": 90}[n] for n in axes), "uint8")
    write_store(tmp_path / "a.zarr", pixels, axes)
    export(tmp_path / "a.zarr", tmp_path / "a.ome.tif")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.pages.first.photometric == tifffile.PHOTOMETRIC.RGB
        assert np.array_equal(tiff.asarray(), squeezed(pixels, axes))


@pytest.mark.parametrize("codec", ["deflate", "lzw", "zstd", "none"])
def test_every_codec_is_lossless(tmp_path: Path, codec: Any) -> None:
    pixels = pixels_of((200, 130))
    write_store(tmp_path / "a.zarr", pixels)
    export(tmp_path / "a.zarr", tmp_path / "a.ome.tif", ExportOptions(codec))
    assert np.array_equal(tifffile.imread(tmp_path / "a.ome.tif"), pixels)


def test_openslide_reads_colour_and_all_levels_of_a_plain_tiff(tmp_path: Path) -> None:
    pixels = pixels_of((3, 300, 200), "uint8")
    write_store(tmp_path / "a.zarr", pixels, "cyx", chunk=64)
    export(tmp_path / "a.zarr", tmp_path / "a.tif")
    with openslide.OpenSlide(str(tmp_path / "a.tif")) as slide:
        assert slide.level_dimensions == ((200, 300), (100, 150), (50, 75), (25, 38))
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.5)
        region = np.asarray(slide.read_region((0, 0), 0, (200, 300)))[..., :3]
    assert np.array_equal(region, squeezed(pixels, "cyx"))


def test_openslide_reads_the_full_resolution_of_an_ome_tiff(tmp_path: Path) -> None:
    pixels = pixels_of((3, 300, 200), "uint8")
    write_store(tmp_path / "a.zarr", pixels, "cyx", chunk=64)
    export(tmp_path / "a.zarr", tmp_path / "a.ome.tif")
    with openslide.OpenSlide(str(tmp_path / "a.ome.tif")) as slide:
        region = np.asarray(slide.read_region((0, 0), 0, (200, 300)))[..., :3]
    assert np.array_equal(region, squeezed(pixels, "cyx"))


@pytest.mark.parametrize("said", [(0.1234567, 0.31), (1e-3, 2.5e3), (250.0, 130.0)])
def test_ome_tiff_to_store_to_ome_tiff_keeps_pixels_sizes_and_channels(
    tmp_path: Path, said: tuple[float, float]
) -> None:
    pixels = pixels_of((2, 3, 4, 60, 50))
    y, x = said
    metadata = {
        "axes": "TCZYX",
        "PhysicalSizeX": x,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": y,
        "PhysicalSizeYUnit": "nm",
        "PhysicalSizeZ": 2.5,
        "PhysicalSizeZUnit": "nm",
        "TimeIncrement": 0.25,
        "TimeIncrementUnit": "s",
        "Channel": {"Name": ["DAPI", "µ-opioid", "a <&> b"], "Color": [65535, -16776961, 16711935]},
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata=metadata)
    convert(tmp_path / "a.ome.tif", tmp_path / "a.zarr", ConvertOptions(chunk=32, shard=64))
    export(tmp_path / "a.zarr", tmp_path / "b.ome.tif")
    convert(tmp_path / "b.ome.tif", tmp_path / "b.zarr", ConvertOptions(chunk=32, shard=64))
    first, second = open_image(tmp_path / "a.zarr"), open_image(tmp_path / "b.zarr")
    assert np.array_equal(tifffile.imread(tmp_path / "b.ome.tif"), pixels)
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tiff:
        assert 'Color="-16776961"' in (tiff.ome_metadata or "")
    assert first.axes == second.axes
    assert second.axes.scale == {"t": 0.25, "z": 2.5, "y": y, "x": x}
    assert second.axes.units == {
        "t": "second",
        "z": "nanometer",
        "y": "nanometer",
        "x": "nanometer",
    }
    assert first.channels == second.channels
    assert second.channels[1] == Channel("µ-opioid", "FF0000")


def test_the_objective_of_a_slide_is_kept(tmp_path: Path, shared_data: Path) -> None:
    options = ConvertOptions(region=Region((0, 0), (100, 100)))
    convert(shared_data / "1_wsi" / "CMU-1-Small-Region.svs", tmp_path / "a.zarr", options)
    export(tmp_path / "a.zarr", tmp_path / "a.ome.tif")
    convert(tmp_path / "a.ome.tif", tmp_path / "b.zarr")
    first, second = open_image(tmp_path / "a.zarr"), open_image(tmp_path / "b.zarr")
    assert second.axes == first.axes == Axes.named("cyx", first.axes.scale, first.axes.units)
    metadata = second.attributes["provenance"]["source_metadata"]
    assert metadata["objective"] == 20.0


@pytest.mark.parametrize(
    ("unit", "x"), [("nm", 3.76), ("um", 3.7654321e-4), ("mm", 3.7e-4), ("m", 123.4)]
)
def test_resolution_tags_hold_the_size_to_a_millionth(tmp_path: Path, unit: str, x: float) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels_of((40, 30)))
    said = Said(pixel_size=(0.1234567, x), unit=unit)
    convert(tmp_path / "a.tif", tmp_path / "a.zarr", ConvertOptions(said))
    export(tmp_path / "a.zarr", tmp_path / "b.tif")
    meters = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "m": 1}[unit]
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        across, down = tiff.pages.first.resolution
    assert 0.01 / across / meters == pytest.approx(x, rel=1e-6)
    assert 0.01 / down / meters == pytest.approx(0.1234567, rel=1e-6)


def test_a_file_that_may_outgrow_4_gib_is_a_bigtiff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path / "a.zarr", pixels_of((100, 80)))
    export(tmp_path / "a.zarr", tmp_path / "small.tif")
    monkeypatch.setattr(module, "CLASSIC_BYTES", 1000)
    export(tmp_path / "a.zarr", tmp_path / "large.tif")
    with (
        tifffile.TiffFile(tmp_path / "small.tif") as small,
        tifffile.TiffFile(tmp_path / "large.tif") as large,
    ):
        assert (small.is_bigtiff, large.is_bigtiff) == (False, True)
        assert np.array_equal(small.asarray(), large.asarray())


def test_equal_stores_give_equal_files(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", pixels_of((100, 80)))
    for name in ("one.ome.tif", "two.ome.tif"):
        export(tmp_path / "a.zarr", tmp_path / name)
    assert (tmp_path / "one.ome.tif").read_bytes() == (tmp_path / "two.ome.tif").read_bytes()


def test_a_size_that_the_tags_cannot_hold_stands_in_the_xml_alone(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels_of((40, 30)))
    said = Said(pixel_size=(1e-4, 1e-4), unit="nm")
    convert(tmp_path / "a.tif", tmp_path / "a.zarr", ConvertOptions(said))
    export(tmp_path / "a.zarr", tmp_path / "b.ome.tif")
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tiff:
        assert tiff.pages.first.resolutionunit == tifffile.RESUNIT.NONE
        assert 'PhysicalSizeX="0.0001"' in (tiff.ome_metadata or "")
