from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from stable_tiles.errors import InputError
from stable_tiles.image.sources import SourceOptions, open_source
from stable_tiles.image.sources.assemble import CroppedSource
from stable_tiles.region import Region


def files(folder: Path, count: int, shape: tuple[int, ...] = (20, 30)) -> list[Path]:
    paths = []
    for i in range(count):
        paths.append(folder / f"{9 - i}.tif")  # against the order of names
        tifffile.imwrite(
            paths[-1], np.full(shape, i, np.uint8), photometric="minisblack", metadata=None
        )
    return paths


@pytest.mark.parametrize("axis", ["t", "z"])
def test_files_are_stacked_in_the_order_given(tmp_path: Path, axis: str) -> None:
    paths = files(tmp_path, 4)
    source = open_source(paths, SourceOptions(stack="t" if axis == "t" else "z"))
    described = source.description
    assert described.axes.names == f"{axis}yx"
    assert described.bytes_in == sum(p.stat().st_size for p in paths)
    t, _, z, y, x = described.shape
    block = source.read(Region.whole((t, z, y, x)))
    assert [int(v) for v in block[..., 0, 0].ravel()] == [0, 1, 2, 3]
    start, stop = ((1, 0), (3, 1)) if axis == "t" else ((0, 1), (1, 3))
    part = source.read(Region((*start, 5, 6), (*stop, 7, 8)))
    assert part.shape[3:] == (2, 2)
    assert [int(v) for v in part[..., 0, 0].ravel()] == [1, 2]


def test_files_of_different_shape_are_not_stacked(tmp_path: Path) -> None:
    paths = files(tmp_path, 2)
    tifffile.imwrite(paths[1], np.zeros((21, 30), np.uint8))
    with pytest.raises(InputError, match="only files of one shape"):
        open_source(paths, SourceOptions(stack="z"))


def test_a_stack_needs_a_free_axis(tmp_path: Path) -> None:
    paths = files(tmp_path, 2, (3, 20, 30))
    with pytest.raises(InputError, match="has an axis t already"):
        open_source(paths, SourceOptions(stack="t", axes="tyx"))


def test_several_files_need_a_word_about_stacking(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--stack t or --stack z"):
        open_source(files(tmp_path, 2))


def test_a_crop_is_the_slice_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)
    tifffile.imwrite(path, pixels)
    cropped = CroppedSource(open_source([path]), Region((7, 9), (33, 42)))
    assert cropped.description.shape == (1, 1, 1, 26, 33)
    whole = cropped.read(Region.whole((1, 1, 26, 33)))
    assert np.array_equal(whole[0, 0, 0], pixels[7:33, 9:42])
    part = cropped.read(Region((0, 0, 3, 4), (1, 1, 5, 7)))
    assert np.array_equal(part[0, 0, 0], pixels[10:12, 13:16])
    cropped.close()


def test_a_crop_outside_the_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((40, 50), np.uint8))
    with pytest.raises(InputError, match="y 0:40 and x 0:50"):
        CroppedSource(open_source([path]), Region((0, 0), (41, 50)))
