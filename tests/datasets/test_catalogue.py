from __future__ import annotations

import re

import pytest

from stable_tiles.datasets.catalogue import DATASETS, DataSet, dataset
from stable_tiles.errors import InputError


def test_the_six_tasks_of_the_paper_have_a_data_set_each() -> None:
    names = ["calcium", "he", "dapi", "mri", "penicillium", "planaria"]
    assert [entry.name for entry in DATASETS] == names


@pytest.mark.parametrize("entry", DATASETS, ids=lambda e: e.name)
def test_what_is_said_is_well_formed(entry: DataSet) -> None:
    found = dataset(entry.name)
    assert found.page.startswith("https://")
    assert found.doi is None or found.page == f"https://doi.org/{found.doi}"
    assert found.licence
    assert found.size
    for file in found.files:
        assert file.url.endswith(file.name)
        assert file.checksum is None or re.fullmatch(r"md5:[0-9a-f]{32}", file.checksum)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="planaria"):
        dataset("mnist")
