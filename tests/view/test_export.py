from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stable_tiles.errors import InputError, Interrupted, OutputExists
from stable_tiles.view import ViewExportOptions, export_view
from tests.image.stores import write_store


@pytest.fixture
def stores(tmp_path: Path) -> list[Path]:
    pair = [tmp_path / "a b.zarr", tmp_path / "more" / "c.zarr"]
    for path in pair:
        write_store(path, np.arange(80 * 90, dtype=np.uint16).reshape(80, 90))
    return pair


def addresses(folder: Path) -> list[str]:
    return [entry["url"] for entry in json.loads((folder / "stores.json").read_text())["stores"]]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_stores_beside_the_folder_are_linked_to_relatively(
    stores: list[Path], tmp_path: Path
) -> None:
    report = export_view(stores, tmp_path / "page")
    assert addresses(tmp_path / "page") == ["../a%20b.zarr", "../more/c.zarr"]
    assert report.stores == {"a b.zarr": "../a%20b.zarr", "c.zarr": "../more/c.zarr"}
    found = contents(tmp_path / "page")
    assert {"index.html", "LICENCES.txt", "assets/index.js"} <= set(found)
    assert len(found) == report.files


def test_nothing_in_the_page_names_an_absolute_address(stores: list[Path], tmp_path: Path) -> None:
    export_view(stores, tmp_path / "page")
    page = (tmp_path / "page" / "index.html").read_text()
    assert 'src="/' not in page
    assert 'href="/' not in page
    assert str(tmp_path) not in (tmp_path / "page" / "stores.json").read_text()


def test_copied_stores_are_the_stores_file_by_file(stores: list[Path], tmp_path: Path) -> None:
    (stores[0] / "secret").symlink_to("/etc/hostname")
    expected = [contents(path) for path in stores]
    del expected[0]["secret"]
    target = tmp_path / "elsewhere" / "page"
    export_view(stores, target, ViewExportOptions(copy=True))
    assert addresses(target) == ["stores/a%20b.zarr", "stores/c.zarr"]
    assert [contents(target / "stores" / path.name) for path in stores] == expected


def test_a_store_that_lies_elsewhere_is_refused_unless_it_is_copied(
    stores: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"does not lie beside .*--copy"):
        export_view(stores, tmp_path / "elsewhere" / "page")
    assert not (tmp_path / "elsewhere").exists()


def test_an_export_replaces_only_an_exported_page(stores: list[Path], tmp_path: Path) -> None:
    export_view(stores, tmp_path / "page")
    with pytest.raises(OutputExists):
        export_view(stores[:1], tmp_path / "page")
    export_view(stores[:1], tmp_path / "page", ViewExportOptions(overwrite=True))
    assert len(addresses(tmp_path / "page")) == 1
    for folder in (tmp_path, tmp_path / "more", stores[0], stores[0] / "page"):
        with pytest.raises(InputError):
            export_view(stores, folder, ViewExportOptions(copy=True, overwrite=True))
    assert all((path / "zarr.json").is_file() for path in stores)


def test_an_interrupted_export_leaves_nothing(stores: list[Path], tmp_path: Path) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(Interrupted):
        export_view(stores, tmp_path / "page", progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_dry_run_writes_nothing_and_knows_the_size(stores: list[Path], tmp_path: Path) -> None:
    plan = export_view(stores, tmp_path / "page", ViewExportOptions(copy=True, dry_run=True))
    assert not (tmp_path / "page").exists()
    done = export_view(stores, tmp_path / "page", ViewExportOptions(copy=True))
    assert (plan.files, plan.bytes) == (done.files, done.bytes)
