from __future__ import annotations

from pathlib import Path

import pytest

from stable_tiles.benchmark.data import DataSet, described, find_data
from stable_tiles.benchmark.paper import study
from stable_tiles.benchmark.plan import SHARES
from stable_tiles.errors import InputError
from tests.train.stores import random_pixels, write_store

FOLDERS = ("train/A", "train/B", "test/A", "test/B", "test/nuclei")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(FOLDERS):
        (tmp_path / name).mkdir(parents=True)
        write_store(tmp_path / name / "0000.zarr", random_pixels((1, 1, 1, 32, 32), number))
    return tmp_path


def test_scenes_know_their_truth_and_their_cells(folder: Path) -> None:
    (scene,) = find_data(folder, study("calcium")).scenes
    assert scene.truth == folder / "test/B/0000.zarr"
    assert scene.labels == folder / "test/nuclei/0000.zarr"
    assert find_data(folder, study("mri")).scenes[0].labels is None


def test_without_truth_cells_are_compared_with_the_input_and_said_to_be(folder: Path) -> None:
    (folder / "test/B").rename(folder / "test/C")
    (folder / "test/nuclei").rename(folder / "test/other")
    scenes = find_data(folder, study("calcium")).scenes
    assert described(scenes, study("calcium")) == "cells found by segmentation, in the inputs"
    with pytest.raises(InputError, match=r"no test/B/0000\.zarr"):
        find_data(folder, study("mri"))


def test_an_empty_domain_is_refused(folder: Path) -> None:
    (folder / "train/B").rename(folder / "train/C")
    with pytest.raises(InputError, match="no stores in train/B"):
        find_data(folder, study("calcium"))


def test_other_pixels_have_another_digest_wherever_they_lie(folder: Path) -> None:
    before = find_data(folder, study("calcium")).digest
    assert find_data(folder.rename(folder.with_name("moved")), study("calcium")).digest == before
    moved = folder.with_name("moved")
    (moved / "test/nuclei").rename(moved / "test/other")
    assert find_data(moved, study("calcium")).digest != before


def test_shares_round_up_and_begin_at_the_first() -> None:
    paths = tuple(Path(str(n)) for n in range(20))
    data = DataSet(paths, paths[:7], ())
    assert [len(side) for side in data.share(0.05)] == [1, 1]
    assert [len(side) for side in data.share(0.5)] == [10, 4]
    assert data.share(1.0) == (paths, paths[:7])
    assert data.share(0.1)[0] == paths[:2]


@pytest.mark.parametrize("percent", SHARES)
def test_rounding_errors_do_not_add_an_image(percent: int) -> None:
    for count in range(1, 400):
        data = DataSet((Path("a"),) * count, (), ())
        assert len(data.share(percent / 100)[0]) == -(-count * percent // 100)
