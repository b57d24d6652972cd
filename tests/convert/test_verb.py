from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import google_crc32c
import nibabel as untyped_nibabel
import numpy as np
import numpy.typing as npt
import ome_zarr_models
import pytest
import tifffile
import zarr

from stable_tiles.convert import ConvertOptions, ConvertReport, convert
from stable_tiles.convert.options import Said
from stable_tiles.errors import (
    FingerprintMismatch,
    InputError,
    NotAnImage,
    OutputExists,
    WorkFailed,
)
from stable_tiles.image.sources import SourceWarning, open_source
from stable_tiles.image.store import Image, open_image
from stable_tiles.image.writer import ImageWriter
from stable_tiles.region import Region

nibabel: Any = untyped_nibabel
RNG = np.random.default_rng(7)
SIZES = Said(pixel_size=(0.5, 0.25))


def picture(path: Path, shape: tuple[int, ...] = (300, 200), dtype: str = "uint16") -> Any:
    pixels = RNG.integers(0, 200, shape).astype(dtype)
    photometric: Any = "rgb" if shape[-1] == 3 else "minisblack"
    tifffile.imwrite(path, pixels, tile=(64, 64), compression="zlib", photometric=photometric)
    return pixels


def level(store: Image, index: int = 0) -> npt.NDArray[Any]:
    t, _, z, y, x = store.levels[index].shape
    return store.read(Region.whole((t, z, y, x)), level=index)


def tree(store: Path) -> dict[str, str]:
    return {
        str(f.relative_to(store)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(store.rglob("*"))
        if f.is_file()
    }


LAYOUTS: dict[str, ConvertOptions] = {
    "0.5, sharded": ConvertOptions(SIZES, chunk=32, shard=128),
    "0.5, no shards": ConvertOptions(SIZES, chunk=32, shard=0),
    "0.4": ConvertOptions(SIZES, chunk=64, ngff="0.4"),
    "two levels": ConvertOptions(SIZES, chunk=32, shard=64, levels=2),
    "threads": ConvertOptions(SIZES, chunk=32, shard=64, workers=3),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("shape", [(301, 199), (130, 97, 3)], ids=["grey", "rgb"])
def test_level_0_equals_the_file_and_the_store_is_valid(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    dtype = "uint8" if len(shape) == 3 else "uint16"
    pixels = picture(tmp_path / "a.tif", shape, dtype)
    options = LAYOUTS[name]
    report = convert(tmp_path / "a.tif", tmp_path / "a.zarr", options)
    store = open_image(tmp_path / "a.zarr")
    expected = np.atleast_3d(pixels).transpose(2, 0, 1)
    assert np.array_equal(level(store)[0, :, 0], expected)
    assert store.is_rgb == (len(shape) == 3)
    assert store.axes.scale == {"y": 0.5, "x": 0.25}
    assert store.axes.units["x"] == "micrometer"
    ome_zarr_models.open_ome_zarr(zarr.open_group(str(tmp_path / "a.zarr"), mode="r"))
    assert store.multiscale.version == options.ngff
    assert len(store.levels) == report.levels == (2 if name == "two levels" else report.levels)
    assert report.shape == store.axes.project(store.shape)
    assert not (tmp_path / "a.zarr.partial").exists()


def test_the_report_says_what_the_interface_promises(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    calls: list[tuple[str, int, int]] = []

    def progress(what: str, done: int, total: int) -> None:
        calls.append((what, done, total))

    report = convert(
        tmp_path / "a.tif", tmp_path / "a.zarr", ConvertOptions(SIZES, shard=64, chunk=64), progress
    )
    assert report == ConvertReport(
        output=str(tmp_path / "a.zarr"),
        shape=(300, 200),
        axes="yx",
        dtype="uint16",
        levels=4,
        scale={"y": 0.5, "x": 0.25},
        unit="micrometer",
        bytes_in=(tmp_path / "a.tif").stat().st_size,
        bytes_out=sum(f.stat().st_size for f in (tmp_path / "a.zarr").rglob("*") if f.is_file()),
        seconds=report.seconds,
        peak_rss_bytes=report.peak_rss_bytes,
        regions=20,
        workers=report.workers,
        memory_bytes=report.memory_bytes,
        disk_bytes=report.disk_bytes,
        resumed_regions=0,
        dry_run=False,
    )
    assert report.seconds > 0
    assert report.peak_rss_bytes > 2**20
    assert calls[0] == ("regions", 0, 20)
    assert calls[-1] == ("regions", 20, 20)


def test_percentiles_are_exact_and_stored(tmp_path: Path) -> None:
    pixels = picture(tmp_path / "a.tif", (301, 199, 3), "uint8")
    convert(tmp_path / "a.tif", tmp_path / "a.zarr", ConvertOptions(SIZES, chunk=32, shard=64))
    stored = open_image(tmp_path / "a.zarr").attributes["intensity"]["percentiles"]
    for channel, row in enumerate(stored):
        for percent, value in row.items():
            assert value == pytest.approx(np.percentile(pixels[..., channel], float(percent)))


def test_provenance_names_files_but_no_folders_and_nobody(
    tmp_path: Path, shared_data: Path
) -> None:
    path = shared_data / "1_wsi" / "CMU-1-Small-Region.svs"
    convert(path, tmp_path / "a.zarr", ConvertOptions(region=Region((0, 0), (64, 64))))
    text = (tmp_path / "a.zarr" / "zarr.json").read_text()
    attributes = json.loads(text)["attributes"]["stable_tiles"]
    digest = f"{google_crc32c.value(path.read_bytes()):08x}"
    assert attributes["kind"] == "source"
    assert attributes["provenance"]["sources"] == [
        {"name": path.name, "bytes": path.stat().st_size, "crc32c": digest}
    ]
    assert attributes["provenance"]["source_metadata"]["objective"] == 20.0
    for private in (str(tmp_path), str(shared_data), "b414003d", "CPAPERIOCS", "12/29/09"):
        assert private not in text
    assert sorted(p.name for p in (tmp_path / "a.zarr").iterdir()) == ["0", "zarr.json"]


def test_a_label_is_kept_only_on_request(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "1_wsi" / "CMU-1-Small-Region.svs"
    options = ConvertOptions(region=Region((0, 0), (64, 64)), keep_associated=True)
    convert(path, tmp_path / "a.zarr", options)
    array = zarr.open_group(str(tmp_path / "a.zarr"), mode="r")["associated_label"]
    assert isinstance(array, zarr.Array)
    with tifffile.TiffFile(path) as tiff:
        label = next(s for s in tiff.series if s.name == "Label").asarray()
    assert np.array_equal(np.asarray(array[:]), np.moveaxis(label, -1, 0))


def test_a_volume_keeps_header_affine_slope_and_units(tmp_path: Path) -> None:
    affine = np.array([[0.9, 0.1, 0, -9], [-0.1, 0.9, 0, 4], [0, 0, 3, 2], [0, 0, 0, 1]])
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_xyzt_units("mm", "sec")
    path = tmp_path / "v.nii.gz"
    nibabel.save(nibabel.Nifti1Image(RNG.normal(size=(20, 30, 7)), affine, header), path)
    convert(path, tmp_path / "v.zarr")
    store = open_image(tmp_path / "v.zarr")
    loaded = nibabel.load(path)
    stored = level(store)[0, 0].T
    assert np.array_equal(stored, loaded.dataobj.get_unscaled())
    assert store.axes.units == dict.fromkeys("zyx", "millimeter")
    intensity = store.attributes["intensity"]
    values = stored * intensity["scl_slope"] + intensity["scl_inter"]
    assert np.allclose(values, np.asarray(loaded.dataobj))
    assert np.allclose(store.attributes["nifti"]["affine"], loaded.affine)
    raw = zarr.open_group(str(tmp_path / "v.zarr"), mode="r")["nifti"]
    assert isinstance(raw, zarr.Array)
    kept = nibabel.Nifti1Header(np.asarray(raw[:]).tobytes())
    assert np.allclose(kept.get_best_affine(), loaded.affine)


@pytest.mark.parametrize("first", ["0.4", "0.5"])
def test_a_store_is_laid_out_anew_with_all_it_holds(tmp_path: Path, first: str) -> None:
    path = tmp_path / "v.nii"
    nibabel.save(nibabel.Nifti1Image(RNG.integers(0, 99, (50, 40, 3), np.int16), np.eye(4)), path)
    one: Any = first
    other: Any = "0.5" if first == "0.4" else "0.4"
    mm = Said(unit="mm")
    convert(path, tmp_path / "a.zarr", ConvertOptions(mm, ngff=one))
    convert(tmp_path / "a.zarr", tmp_path / "b.zarr", ConvertOptions(ngff=other, chunk=16))
    a, b = open_image(tmp_path / "a.zarr"), open_image(tmp_path / "b.zarr")
    assert (a.multiscale.version, b.multiscale.version) == (one, other)
    assert np.array_equal(level(a), level(b))
    assert a.axes == b.axes
    assert a.attributes["nifti"] == b.attributes["nifti"]
    assert a.attributes["intensity"] == b.attributes["intensity"]
    assert "nifti" in zarr.open_group(str(tmp_path / "b.zarr"), mode="r")


def test_a_region_is_cut_out(tmp_path: Path) -> None:
    pixels = picture(tmp_path / "a.tif")
    box = Region((10, 20), (150, 190))
    convert(tmp_path / "a.tif", tmp_path / "a.zarr", ConvertOptions(SIZES, box, chunk=32, shard=64))
    assert np.array_equal(level(open_image(tmp_path / "a.zarr"))[0, 0, 0], pixels[10:150, 20:190])


def test_files_are_stacked(tmp_path: Path) -> None:
    planes = [picture(tmp_path / f"{i}.tif") for i in range(3)]
    said = Said(stack="t", pixel_size=(1, 1), time_step=0.1)
    convert([tmp_path / f"{i}.tif" for i in range(3)], tmp_path / "a.zarr", ConvertOptions(said))
    store = open_image(tmp_path / "a.zarr")
    assert store.axes.names == "tyx"
    assert np.array_equal(level(store)[:, 0, 0], planes)
    assert len(store.attributes["provenance"]["sources"]) == 3


def test_a_missing_pixel_size_is_mentioned_and_no_unit_is_stored(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    with pytest.warns(SourceWarning, match="physical scale along y, x is unknown"):
        report = convert(tmp_path / "a.tif", tmp_path / "a.zarr")
    assert report.unit is None
    assert open_image(tmp_path / "a.zarr").axes.units == {"y": None, "x": None}


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    report = convert(tmp_path / "a.tif", tmp_path / "a.zarr", ConvertOptions(SIZES, dry_run=True))
    assert report.dry_run
    assert report.memory_bytes > 0
    assert report.disk_bytes >= 300 * 200 * 2
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_an_existing_output_is_refused_then_replaced(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    second = picture(tmp_path / "b.tif")
    convert(tmp_path / "a.tif", tmp_path / "out.zarr", ConvertOptions(SIZES))
    before = tree(tmp_path / "out.zarr")
    with pytest.raises(OutputExists, match="exists"):
        convert(tmp_path / "b.tif", tmp_path / "out.zarr", ConvertOptions(SIZES))
    assert tree(tmp_path / "out.zarr") == before
    convert(tmp_path / "b.tif", tmp_path / "out.zarr", ConvertOptions(SIZES, overwrite=True))
    assert np.array_equal(level(open_image(tmp_path / "out.zarr"))[0, 0, 0], second)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif", "b.tif", "out.zarr"]


def test_a_url_is_not_taken_for_a_folder(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    with pytest.raises(InputError, match="can only be read"):
        convert(tmp_path / "a.tif", "https://host/a.zarr", ConvertOptions(SIZES))


def test_what_is_no_store_is_never_replaced(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    picture(tmp_path / "b.tif")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("years of work")
    for name in ("b.tif", "folder"):
        with pytest.raises(OutputExists, match="no store"):
            convert(tmp_path / "a.tif", tmp_path / name, ConvertOptions(SIZES, overwrite=True))
    with pytest.raises(InputError, match="holds the source"):
        convert(tmp_path / "a.tif", tmp_path, ConvertOptions(SIZES, overwrite=True))
    assert (tmp_path / "folder" / "thesis.txt").exists()


@pytest.mark.parametrize("name", ["a.zarr/0/c/0/0", "a.zarr"])
def test_a_store_is_not_converted_onto_itself(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "a.tif")
    convert(tmp_path / "a.tif", tmp_path / "a.zarr", ConvertOptions(SIZES))
    with pytest.raises(InputError, match="holds the source"):
        convert(tmp_path / name, tmp_path / "a.zarr", ConvertOptions(SIZES, overwrite=True))


def test_damage_at_the_end_of_a_file_is_found_before_work(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        offset = tiff.pages.first.dataoffsets[-1]
    with (tmp_path / "a.tif").open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 32)
    with pytest.raises(NotAnImage, match="cannot be decoded"):
        convert(tmp_path / "a.tif", tmp_path / "a.zarr", ConvertOptions(SIZES))
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_an_interrupted_conversion_is_resumed_to_the_same_bytes(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    options = ConvertOptions(SIZES, chunk=32, shard=64, workers=2)
    convert(tmp_path / "a.tif", tmp_path / "whole.zarr", options)

    def interrupt(what: str, done: int, total: int) -> None:
        if done >= 7:
            raise KeyboardInterrupt

    target = tmp_path / "cut.zarr"
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "a.tif", target, options, interrupt)
    assert not target.exists()
    with pytest.raises(OutputExists, match="--resume to complete it"):
        convert(tmp_path / "a.tif", target, options)
    resume = ConvertOptions(SIZES, chunk=32, shard=64, workers=2, resume=True)
    report = convert(tmp_path / "a.tif", target, resume)
    assert 7 <= report.resumed_regions < report.regions
    one, other = tree(tmp_path / "whole.zarr"), tree(target)
    assert {k: v for k, v in one.items() if k != "zarr.json"} == {
        k: v for k, v in other.items() if k != "zarr.json"
    }
    a, b = open_image(tmp_path / "whole.zarr"), open_image(target)
    assert a.attributes["intensity"] == b.attributes["intensity"]


def test_resuming_rewrites_a_shard_that_was_torn(tmp_path: Path) -> None:
    pixels = picture(tmp_path / "a.tif")
    options = ConvertOptions(SIZES, chunk=32, shard=64, workers=1)
    target = tmp_path / "cut.zarr"

    def interrupt(what: str, done: int, total: int) -> None:
        if done >= 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "a.tif", target, options, interrupt)
    torn = tmp_path / "cut.zarr.partial" / "store" / "0" / "c" / "0" / "1"
    torn.write_bytes(torn.read_bytes()[:100])
    convert(tmp_path / "a.tif", target, ConvertOptions(SIZES, chunk=32, shard=64, resume=True))
    assert np.array_equal(level(open_image(target))[0, 0, 0], pixels)


SMALL = ConvertOptions(SIZES, chunk=32, shard=64)


@pytest.mark.parametrize(
    "again",
    [SMALL, replace(SMALL, overwrite=True), replace(SMALL, resume=True)],
    ids=["plain", "overwrite", "resume"],
)
def test_an_output_that_is_being_written_is_refused_and_its_writer_named(
    tmp_path: Path, again: ConvertOptions
) -> None:
    pixels = picture(tmp_path / "a.tif")
    refusals = []

    def second(what: str, done: int, total: int) -> None:
        if done not in (0, total):
            return
        with pytest.raises(OutputExists, match=f"written by process {os.getpid()} on ") as caught:
            convert(tmp_path / "a.tif", tmp_path / "a.zarr", again)
        refusals.append(str(caught.value))

    convert(tmp_path / "a.tif", tmp_path / "a.zarr", SMALL, second)
    assert len(refusals) == 2
    assert not any("\n" in line for line in refusals)
    assert np.array_equal(level(open_image(tmp_path / "a.zarr"))[0, 0, 0], pixels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "a.zarr"]


def test_another_source_is_not_resumed(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    picture(tmp_path / "b.tif")
    target = tmp_path / "cut.zarr"

    def interrupt(what: str, done: int, total: int) -> None:
        if done >= 3:
            raise KeyboardInterrupt

    options = ConvertOptions(SIZES, chunk=32, shard=64, workers=1)
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "a.tif", target, options, interrupt)
    with pytest.raises(FingerprintMismatch, match="another source"):
        convert(tmp_path / "b.tif", target, ConvertOptions(SIZES, chunk=32, shard=64, resume=True))
    with pytest.raises(FingerprintMismatch, match=r"--(codec|chunk|shard)"):
        convert(tmp_path / "a.tif", target, ConvertOptions(SIZES, chunk=64, shard=64, resume=True))


def test_the_bytes_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    for workers in (1, 4):
        options = ConvertOptions(SIZES, chunk=32, shard=64, workers=workers)
        convert(tmp_path / "a.tif", tmp_path / f"{workers}.zarr", options)
    one, four = (tree(tmp_path / f"{n}.zarr") for n in (1, 4))
    assert one.keys() == four.keys()
    assert {name for name in one if one[name] != four[name]} <= {"zarr.json"}
    attributes = [open_image(tmp_path / f"{n}.zarr").attributes for n in (1, 4)]
    assert attributes[0] == attributes[1]


def test_a_failure_while_working_leaves_no_store_and_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = picture(tmp_path / "a.tif")
    write = ImageWriter.write

    def full(self: ImageWriter, region: Region, block: npt.NDArray[Any]) -> list[str]:
        if region.start[2] >= 128:
            raise OSError(28, "No space left on device")
        return write(self, region, block)

    options = ConvertOptions(SIZES, chunk=32, shard=64, workers=2)
    with monkeypatch.context() as patched:
        patched.setattr(ImageWriter, "write", full)
        with pytest.raises(OSError, match="No space left"):
            convert(tmp_path / "a.tif", tmp_path / "a.zarr", options)
    assert not (tmp_path / "a.zarr").exists()
    resume = ConvertOptions(SIZES, chunk=32, shard=64, workers=2, resume=True)
    assert convert(tmp_path / "a.tif", tmp_path / "a.zarr", resume).resumed_regions > 0
    assert np.array_equal(level(open_image(tmp_path / "a.zarr"))[0, 0, 0], pixels)


def test_the_function_is_reachable_from_the_package_whatever_was_imported_before() -> None:
    probe = (
        "import stable_tiles as st, stable_tiles.convert.options, stable_tiles.train; "
        "print(st.convert.__name__, callable(st.convert))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["convert", "True"]


MEASURE = """
import sys
from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.convert.options import Said
said = Said(pixel_size=(1, 1))
report = convert(sys.argv[1], sys.argv[2], ConvertOptions(said, workers=1, shard=512))
print(report.peak_rss_bytes, report.memory_bytes)
"""


def measured(source: Path, target: Path) -> tuple[int, int]:
    """Peak resident memory of a conversion in a process of its own, and its estimate."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(source), str(target)],
        capture_output=True,
        text=True,
        check=True,
    )
    peak, estimate = map(int, done.stdout.split())
    return peak, estimate


@pytest.fixture(scope="module")
def smallest_peak(tmp_path_factory: pytest.TempPathFactory) -> int:
    folder = tmp_path_factory.mktemp("small")
    tifffile.imwrite(folder / "a.tif", np.zeros((64, 64), np.uint16))
    return measured(folder / "a.tif", folder / "a.zarr")[0]


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_memory_does_not_grow_with_the_image_and_stays_below_the_estimate(
    tmp_path: Path, smallest_peak: int, compression: str | None
) -> None:
    path, shape = tmp_path / "a.tif", (6144, 5120)
    tiles = (np.zeros((256, 256), np.uint16) for _ in range(24 * 20))
    tifffile.imwrite(
        path, tiles, shape=shape, dtype="uint16", tile=(256, 256), compression=compression
    )
    peak, estimate = measured(path, tmp_path / "a.zarr")
    assert peak < estimate
    assert peak - smallest_peak < shape[0] * shape[1] * 2 / 2


def test_a_source_that_breaks_half_way_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        offset = tiff.pages.first.dataoffsets[9]
    with (tmp_path / "a.tif").open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 32)
    with pytest.raises(WorkFailed, match="tile 9 of page 0"):
        convert(tmp_path / "a.tif", tmp_path / "a.zarr", ConvertOptions(SIZES))
    assert not (tmp_path / "a.zarr").exists()
    open_source([tmp_path / "a.tif"]).close()
