from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError, NotAnImage, StableTilesError, StoreNotFound
from stable_tiles.image.sources import SourceOptions, open_source
from stable_tiles.image.sources.nifti import NiftiSource
from stable_tiles.image.sources.omezarr import StoreSource
from stable_tiles.image.sources.picture import PictureSource
from stable_tiles.image.sources.tiff import TiffSource
from stable_tiles.region import Region
from tests.image.stores import write_store


def test_the_content_decides_not_the_name(tmp_path: Path, shared_data: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.uint8))
    picture = shared_data / "2_fluo_he" / "he" / "histolab_tcga_lung.png"
    volume = shared_data / "4_mri" / "icbm152_avg" / "avg152PD.nii"
    for original, kind in (
        (tmp_path / "a.tif", TiffSource),
        (picture, PictureSource),
        (volume, NiftiSource),
    ):
        copy = tmp_path / "mislabelled.jpg"
        copy.write_bytes(original.read_bytes())
        source = open_source([copy])
        assert isinstance(source, kind)
        source.close()


def test_a_store_is_opened_as_one(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", np.zeros((20, 20), np.uint8))
    assert isinstance(open_source([tmp_path / "a.zarr"]), StoreSource)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound, match="no file"):
        open_source([tmp_path / "absent.tif"])


def test_no_source_is_refused() -> None:
    with pytest.raises(InputError, match="no source"):
        open_source([])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"ZISRAWFILE and so on", "is of no format that is read here"),
        (b"PK\x03\x04 zipped", "ZIP archive"),
        (b"\x1f\x8b damaged", "is of no format that is read here"),
        (b"II*\0", "is not a TIFF that can be read"),
        (b"\x89PNG\r\n\x1a\n", "without a header"),
        (b"\xff\xd8\xff\xe0", "header cannot be read"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(NotAnImage, match=says) as caught:
        open_source([path])
    assert "\n" not in str(caught.value)


def test_a_damaged_size_of_billions_of_tiles_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(16, 16), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages.first.tags[tag].overwrite(3_000_000, dtype="I")
    with pytest.warns(UserWarning, match="tiles are missing"):
        source = open_source([path])
    source.close()


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(damage=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=8))
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_tiff_reads_or_is_refused_in_one_line(
    tmp_path: Path, damage: list[tuple[int, int]]
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(16, 16), compression="zlib")
    data = bytearray(path.read_bytes())
    for at, value in damage:
        data[at % len(data)] = value
    path.write_bytes(bytes(data))
    try:
        source = open_source([path])
        y, x = source.description.shape[3:]
        source.read(Region((0, 0, 0, 0), (1, 1, min(y, 64), min(x, 64))))
        source.close()
    except StableTilesError as error:
        lines = str(error).splitlines()
    else:
        lines = ["read"]
    assert len(lines) == 1


def test_a_folder_of_frames_is_stacked_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        tifffile.imwrite(tmp_path / f"frame{number}.tif", np.full((8, 9), number, np.uint8))
    (tmp_path / "notes.txt").write_text("no frame")
    (tmp_path / "._frame1.tif").write_text("no frame either")
    with pytest.raises(InputError, match="folder of 3 frames: add --stack"):
        open_source([tmp_path])
    source = open_source([tmp_path], SourceOptions(stack="t"))
    assert source.description.shape == (3, 1, 1, 8, 9)
    block = source.read(Region.whole((3, 1, 8, 9)))
    assert block[:, 0, 0, 0, 0].tolist() == [1, 2, 10]


def test_a_folder_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAnImage, match="without an OME-Zarr image and without frames"):
        open_source([tmp_path])
