from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import LocalStore

from stable_tiles.image.store import open_image
from stable_tiles.region import Region
from stable_tiles.tiling.axis import Tiling
from stable_tiles.tiling.plan import Plan, plan_regions
from stable_tiles.translate.reader import Reader
from stable_tiles.translate.verb import translate
from tests.translate.scenes import noise, options, save_image, save_model


def plan_of(plane: tuple[int, int], planes: int, side: int, halo: int) -> Plan:
    output = Region.whole((planes, 1, *plane))
    block = (1, 1, side, side)
    tiling = Tiling(side + 2 * halo + 8, halo, 2, "crop")
    return plan_regions((tiling, None), plane, output, block, block)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reader")
    save_image(made / "a.zarr", noise(2, 2, 1, 300, 420), "tcyx")
    return made


@given(
    side=st.sampled_from([100, 128, 200]),
    halo=st.integers(0, 40),
    limit=st.sampled_from([0, 10_000, 1 << 20]),
    channels=st.sampled_from([None, (1,), (1, 0)]),
)
@settings(deadline=None, max_examples=8)
def test_what_regions_get_are_the_pixels_of_the_image_whatever_is_kept(
    folder: Path, side: int, halo: int, limit: int, channels: tuple[int, ...] | None
) -> None:
    image = open_image(folder / "a.zarr")
    plan = plan_of((300, 420), 2, side, halo)
    reader = Reader(image, channels, plan.cut, plan.regions, limit)
    # Each twice, as a region is read again when writing it failed.
    for region in [one for each in plan.regions for one in (each, each)]:
        box = plan.cut.reads(region)
        assert np.array_equal(reader.read(box), image.read(box, channels=channels))


def test_nothing_is_kept_once_all_regions_have_read(folder: Path) -> None:
    plan = plan_of((300, 420), 2, 128, 20)
    reader = Reader(open_image(folder / "a.zarr"), None, plan.cut, plan.regions)
    for region in plan.regions:
        reader.read(plan.cut.reads(region))
    assert reader.kept_bytes == 0


def test_of_a_chunk_only_what_others_need_is_kept(folder: Path) -> None:
    plan = plan_of((300, 420), 2, 128, 20)
    reader = Reader(open_image(folder / "a.zarr"), None, plan.cut, plan.regions)
    box = plan.cut.reads(next(iter(plan.regions)))
    reader.read(box)
    # Eight of three times three chunks are shared; of two of them a strip of 20 pixels is enough.
    assert box.shape == (1, 1, 148, 148)
    assert reader.kept_bytes == 2 * (6 * 64 * 64 + 2 * 64 * 20)


class Counted:
    """Counts what goes through local stores: bytes read by key, and files of chunks written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes_read: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        read, replace = LocalStore.get, os.replace

        async def get(store: Any, key: str, prototype: Any, byte_range: Any = None) -> Any:
            value = await read(store, key, prototype, byte_range)
            if value is not None and "/c/" in key:
                self.bytes_read[f"{store.root.name}/{key}"] += len(value)
            return value

        def replaced(source: str | Path, target: str | Path) -> None:
            # Zarr's stores and our own shards both come into being by this.
            if "/c/" in str(target):
                self.writes[str(target)] += 1
            replace(source, target)

        monkeypatch.setattr(LocalStore, "get", get)
        monkeypatch.setattr(os, "replace", replaced)


def test_a_translation_reads_each_chunk_about_once_and_writes_each_shard_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = save_model(tmp_path / "run")
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 500, 700), "yx")
    counted = Counted(monkeypatch)
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, tile=160))
    assert report.regions == 24
    stored = sum(file.stat().st_size for file in (tmp_path / "a.zarr" / "0" / "c").rglob("*/*"))
    read = sum(size for key, size in counted.bytes_read.items() if key.startswith("a.zarr/0/"))
    assert read <= 1.15 * stored
    assert set(counted.writes.values()) == {1}
    written = [path for path in (tmp_path / "b.zarr").rglob("c/*/*") if path.is_file()]
    assert len(counted.writes) == len(written)
