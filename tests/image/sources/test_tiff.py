from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError, NotAnImage, StableTilesError
from stable_tiles.image.sources import SourceOptions, SourceWarning
from stable_tiles.image.sources.source import Pixels
from stable_tiles.image.sources.tiff import TiffSource
from stable_tiles.region import Region

RNG = np.random.default_rng(5)


def smooth(shape: tuple[int, ...], dtype: str = "uint8") -> npt.NDArray[Any]:
    """Pixels that differ everywhere but compress."""
    ramp = np.arange(np.prod(shape), dtype=np.int64).reshape(shape) // 3
    return (ramp % 251).astype(dtype)


def whole(source: TiffSource) -> Pixels:
    t, _, z, y, x = source.description.shape
    return source.read(Region.whole((t, z, y, x)))


def canonical(pixels: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
    """An array with tifffile's axes as (t, c, z, y, x); S counts as c."""
    names = axes.replace("S", "C")
    order = [names.index(n) for n in "TCZYX" if n in names]
    moved = np.transpose(pixels, order)
    sizes = dict(zip((n for n in "TCZYX" if n in names), moved.shape, strict=True))
    return moved.reshape([sizes.get(n, 1) for n in "TCZYX"])


WRITTEN: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "tiled": ("YX", (200, 150), {"tile": (64, 32)}),
    "strips": ("YX", (101, 77), {"rowsperstrip": 10}),
    "odd sides": ("YX", (33, 17), {"tile": (16, 16), "compression": "deflate"}),
    "one pixel": ("YX", (1, 1), {}),
    "lzw": ("YX", (90, 70), {"compression": "lzw", "predictor": True, "rowsperstrip": 7}),
    "zstd": ("ZYX", (3, 90, 70), {"compression": "zstd", "tile": (32, 32)}),
    "bigtiff": ("TYX", (4, 50, 60), {"bigtiff": True, "tile": (16, 32)}),
    "big endian": ("YX", (60, 50), {"byteorder": ">", "dtype": "uint16"}),
    "big endian strips": (
        "YX",
        (60, 50),
        {"byteorder": ">", "dtype": "float32", "compression": "deflate", "rowsperstrip": 9},
    ),
    "interleaved rgb": ("YXS", (60, 50, 3), {"photometric": "rgb", "tile": (32, 32)}),
    "planar rgb": ("SYX", (3, 60, 50), {"photometric": "rgb", "planarconfig": "separate"}),
    "planar rgb tiles": (
        "SYX",
        (3, 60, 50),
        {"photometric": "rgb", "planarconfig": "separate", "tile": (16, 16)},
    ),
    "z stack of rgb": ("ZYXS", (3, 40, 50, 3), {"photometric": "rgb", "compression": "lzw"}),
    "time and channels": ("TCYX", (3, 2, 40, 50), {"compression": "deflate"}),
    "channels after z": ("TZCYX", (2, 3, 2, 20, 30), {}),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_pixels_equal_those_of_tifffile(tmp_path: Path, name: str) -> None:
    axes, shape, arguments = WRITTEN[name]
    arguments = dict(arguments)
    file = {key: arguments.pop(key) for key in ("bigtiff", "byteorder") if key in arguments}
    pixels = smooth(shape, arguments.pop("dtype", "uint8"))
    path = tmp_path / "a.tif"
    arguments.setdefault("photometric", "minisblack")
    tifffile.imwrite(path, pixels, metadata={"axes": axes}, **file, **arguments)
    source = TiffSource(path, SourceOptions())
    expected = canonical(tifffile.imread(path), axes)
    assert np.array_equal(whole(source), expected)
    assert source.description.shape == expected.shape
    assert source.description.dtype == pixels.dtype
    assert source.description.is_rgb == ("S" in axes)
    source.close()


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[TiffSource, Pixels]:
    path = tmp_path_factory.mktemp("tiled") / "a.tif"
    pixels = smooth((2, 3, 83, 71), "uint16")
    tifffile.imwrite(
        path,
        pixels,
        metadata={"axes": "ZCYX"},
        tile=(32, 16),
        compression="zlib",
        photometric="minisblack",
    )
    return TiffSource(path, SourceOptions()), canonical(pixels, "ZCYX")


@st.composite
def boxes(draw: st.DrawFn) -> Region:
    corners = []
    for size in (1, 2, 83, 71):
        start = draw(st.integers(0, size - 1))
        corners.append((start, draw(st.integers(start + 1, size))))
    return Region(tuple(a for a, _ in corners), tuple(b for _, b in corners))


@settings(deadline=None, max_examples=40)
@given(region=boxes())
def test_any_region_reads_the_same_pixels_as_the_whole(
    tiled: tuple[TiffSource, Pixels], region: Region
) -> None:
    source, pixels = tiled
    t, z, y, x = region.slices
    assert np.array_equal(source.read(region), pixels[t, :, z, y, x])


def test_a_jpeg_slide_equals_openslide(shared_data: Path) -> None:
    openslide = pytest.importorskip("openslide")
    for name in ("CMU-1-Small-Region.svs", "hamamatsu_test3-DAPI.ndpi"):
        path = shared_data / "1_wsi" / name
        source = TiffSource(path, SourceOptions())
        _, _, _, height, width = source.description.shape
        region = Region((0, 0, 501, 333), (1, 1, 1203, 1400))
        with openslide.OpenSlide(str(path)) as slide:
            assert slide.dimensions == (width, height)
            rgba = np.asarray(slide.read_region((333, 501), 0, (1400 - 333, 1203 - 501)))
        assert np.array_equal(source.read(region)[0, :, 0], np.moveaxis(rgba[..., :3], -1, 0))
        source.close()


def test_a_slide_states_its_scale_and_hides_its_label(shared_data: Path) -> None:
    source = TiffSource(shared_data / "1_wsi" / "CMU-1-Small-Region.svs", SourceOptions())
    described = source.description
    assert described.shape == (1, 3, 1, 2967, 2220)
    assert described.axes.scale == {"y": 0.499, "x": 0.499}
    assert described.axes.units["x"] == "micrometer"
    assert described.metadata == {"format": "svs", "objective": 20.0}
    images = source.associated()
    assert set(images) == {"label", "macro", "thumbnail"}
    assert images["label"].shape == (3, 463, 387)
    source.close()


@pytest.mark.filterwarnings("ignore::stable_tiles.image.sources.SourceWarning")
def test_every_tiff_of_a_large_collection_equals_tifffile_or_is_refused(shared_data: Path) -> None:
    refused = []
    for path in sorted((shared_data / "8_formats" / "tiff").rglob("*.tif*")):
        try:
            source = TiffSource(path, SourceOptions())
            pixels = whole(source)
        except StableTilesError as error:
            refused.append(str(error))
            continue
        source.close()
        with tifffile.TiffFile(path) as tiff:
            oracle, axes = tiff.series[0].asarray(), tiff.series[0].axes
        if axes.endswith("S"):
            oracle = np.moveaxis(oracle, -1, -3)
        if oracle.size != pixels.size:  # its alpha channel is dropped
            oracle = oracle[: pixels.shape[1]]
        assert np.array_equal(oracle.ravel(), pixels.ravel(), equal_nan=pixels.dtype.kind == "f")
    assert [line.partition(":")[0] for line in refused] == ["logluv-3c-16b.tiff"]
    assert "\n" not in refused[0]


def test_level_0_of_a_pyramid_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.ome.tif"
    pixels = smooth((128, 96, 3))
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(pixels, subifds=1, tile=(32, 32), photometric="rgb", metadata={"axes": "YXS"})
        tiff.write(pixels[::2, ::2], subfiletype=1, tile=(32, 32), photometric="rgb")
    source = TiffSource(path, SourceOptions())
    assert np.array_equal(whole(source)[0, :, 0], np.moveaxis(pixels, -1, 0))
    source.close()


def test_the_series_is_chosen_by_number_and_others_are_mentioned(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    first, second = smooth((20, 30)), smooth((40, 50), "uint16")
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(first, metadata={"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5})
        tiff.write(second, metadata={"PhysicalSizeX": 7.0, "PhysicalSizeY": 8.0})
    with pytest.warns(SourceWarning, match="holds 2 images"):
        source = TiffSource(path, SourceOptions())
    assert source.description.axes.scale == {"y": 0.5, "x": 0.25}
    source.close()
    other = TiffSource(path, SourceOptions(series=1))
    assert np.array_equal(whole(other)[0, 0, 0], second)
    assert other.description.axes.scale == {"y": 8.0, "x": 7.0}
    other.close()
    with pytest.raises(InputError, match=r"--series 2 is not in 0\.\.1"):
        TiffSource(path, SourceOptions(series=2))


def test_pages_without_a_meaning_are_taken_as_frames_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    pixels = smooth((5, 20, 30))
    tifffile.imwrite(path, pixels, metadata=None, photometric="minisblack")
    with pytest.warns(SourceWarning, match="taken as t"):
        source = TiffSource(path, SourceOptions())
    assert source.description.axes.names == "tyx"
    source.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for axes in ("zyx", "cyx"):
            said = TiffSource(path, SourceOptions(axes=axes))
            assert said.description.axes.names == axes
            assert np.array_equal(whole(said), canonical(pixels, axes.upper()))
            said.close()


@pytest.mark.parametrize(
    "axes", ["yx", "tzyx", "qyx", "xty", "yxt", "t", "t4yx", "t2z2yx", "t2zyx", "t5t1yx", "xytz"]
)
def test_axes_that_do_not_fit_are_refused(tmp_path: Path, axes: str) -> None:
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, smooth((5, 20, 30)), metadata=None, photometric="minisblack")
    with pytest.raises(InputError, match=f"--axes {axes} does not fit"):
        TiffSource(path, SourceOptions(axes=axes))


@given(order=st.permutations("tcz"), unsaid=st.sampled_from("tcz "), fastest_first=st.booleans())
@settings(deadline=None, max_examples=20)
def test_lengths_part_pages_that_the_file_holds_as_one(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], unsaid: str, fastest_first: bool
) -> None:
    path, lengths = tmp_path_factory.getbasetemp() / "a.tif", {"t": 2, "c": 3, "z": 4}
    pixels = smooth((*(lengths[name] for name in order), 20, 30))
    tifffile.imwrite(path, pixels, metadata=None, photometric="minisblack")
    named = [name + (str(lengths[name]) if name != unsaid else "") for name in order]
    axes = "xy" + "".join(reversed(named)) if fastest_first else "".join(named) + "yx"
    source = TiffSource(path, SourceOptions(axes=axes))
    assert source.description.axes.names == "tczyx"
    assert np.array_equal(whole(source), canonical(pixels, "".join(order).upper() + "YX"))


def test_pages_that_are_no_planes_need_axes(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.tif", smooth((4, 20, 30))
    tifffile.imwrite(path, pixels, metadata={"axes": "XYZ"}, photometric="minisblack")
    with pytest.raises(NotAnImage, match=r"axes XYZ, its pages are not \(y, x\)"):
        TiffSource(path, SourceOptions())
    source = TiffSource(path, SourceOptions(axes="zyx"))
    assert np.array_equal(whole(source)[0, 0], pixels)


@pytest.mark.parametrize("axes", ["zyx", "zyxc", "zyxs"])
def test_axes_of_colour_pages_may_name_the_samples(tmp_path: Path, axes: str) -> None:
    path = tmp_path / "pages.tif"
    pixels = smooth((4, 20, 30, 3))
    tifffile.imwrite(path, pixels, metadata=None, photometric="rgb")
    source = TiffSource(path, SourceOptions(axes=axes))
    assert np.array_equal(whole(source), canonical(pixels, "ZYXS"))
    source.close()


def test_two_unknown_dimensions_need_axes(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    pixels = smooth((4, 3, 20, 30))
    tifffile.imwrite(path, pixels, photometric="minisblack")
    with pytest.raises(InputError, match="pass --axes"):
        TiffSource(path, SourceOptions())
    source = TiffSource(path, SourceOptions(axes="tzyx"))
    assert np.array_equal(whole(source), canonical(pixels, "TZYX"))
    source.close()


def test_an_alpha_channel_is_dropped_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "rgba.tif"
    pixels = smooth((20, 30, 4))
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"])
    with pytest.warns(SourceWarning, match="alpha channel is dropped"):
        source = TiffSource(path, SourceOptions())
    assert source.description.is_rgb
    assert np.array_equal(whole(source)[0, :, 0], np.moveaxis(pixels[..., :3], -1, 0))
    source.close()


def test_a_hyperstack_of_imagej_keeps_axes_scale_and_frame_interval(tmp_path: Path) -> None:
    path = tmp_path / "imagej.tif"
    pixels = smooth((4, 3, 2, 20, 30), "uint16")
    tifffile.imwrite(
        path,
        pixels,
        imagej=True,
        resolution=(1 / 0.25, 1 / 0.5),
        metadata={"axes": "TZCYX", "spacing": 1.5, "unit": "um", "finterval": 0.1},
    )
    source = TiffSource(path, SourceOptions())
    described = source.description
    assert described.axes.names == "tczyx"
    assert described.axes.scale == pytest.approx({"t": 0.1, "z": 1.5, "y": 0.5, "x": 0.25})
    assert described.axes.units == {
        "t": "second",
        "z": "micrometer",
        "y": "micrometer",
        "x": "micrometer",
    }
    assert np.array_equal(whole(source), canonical(pixels, "TZCYX"))
    source.close()


def test_bilevel_pixels_become_0_and_1(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    pixels = smooth((20, 30)) > 100
    tifffile.imwrite(path, pixels, photometric="minisblack")
    source = TiffSource(path, SourceOptions())
    assert source.description.dtype == np.uint8
    assert np.array_equal(whole(source)[0, 0, 0], pixels)
    source.close()


@pytest.mark.parametrize("kept", [0, 6, 200, 5000])
def test_a_truncated_file_is_refused_in_one_line(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, RNG.integers(0, 255, (100, 100), np.uint8), rowsperstrip=10)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(NotAnImage) as caught:
        TiffSource(path, SourceOptions())
    assert "\n" not in str(caught.value)
    assert "cut.tif" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_complex_pixels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "complex.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.complex64))
    with pytest.raises(NotAnImage, match="complex64"):
        TiffSource(path, SourceOptions())
