from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from stable_tiles_cli.main import main

from stable_tiles.image.store import open_image
from stable_tiles.image.verify import verify
from stable_tiles.info import Info, info
from tests.image.stores import begin, cut, write_store

PIXELS = np.random.default_rng(0).integers(0, 9, (300, 300)).astype(np.uint16)


@pytest.mark.parametrize("shard", [128, 0])
def test_a_whole_store_has_no_faults(tmp_path: Path, shard: int) -> None:
    assert verify(write_store(tmp_path / "a.zarr", PIXELS, shard=shard)) == []


def test_pixels_that_equal_the_fill_value_are_not_missing(tmp_path: Path) -> None:
    assert verify(write_store(tmp_path / "a.zarr", PIXELS * 0)) == []


@pytest.mark.parametrize("shard", [128, 0])
def test_a_lost_file_is_named_as_missing(tmp_path: Path, shard: int) -> None:
    image = write_store(tmp_path / "a.zarr", PIXELS, shard=shard)
    lost = tmp_path / "a.zarr/0" / ("c/1/1" if shard else "1/1")
    lost.unlink()
    faults = verify(image)
    side = shard or 64
    assert {fault.kind for fault in faults} == {"missing"}
    assert min(fault.start for fault in faults) == (side, side)
    assert len(faults) == (4 if shard else 1)


def test_a_broken_chunk_is_named_and_its_neighbours_are_not(tmp_path: Path) -> None:
    image = write_store(tmp_path / "a.zarr", PIXELS)
    shard = tmp_path / "a.zarr/0/c/0/0"
    content = bytearray(shard.read_bytes())
    content[100] ^= 4
    shard.write_bytes(content)
    faults = verify(image)
    assert [(fault.level, fault.start, fault.kind) for fault in faults] == [("0", (0, 0), "broken")]


def test_a_store_is_described_as_json(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    done = CliRunner().invoke(main, ["info", str(tmp_path / "a.zarr"), "--json", "--verify"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["axes"] == "yx"
    assert found["shape"] == [300, 300]
    assert found["scale"] == {"y": 0.5, "x": 0.5}
    assert found["faults"] == []
    assert found["percentiles"][0]["100"] == 8


def test_faults_make_the_command_fail_and_are_listed(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", PIXELS)
    (tmp_path / "a.zarr/0/c/0/0").unlink()
    done = CliRunner().invoke(main, ["info", str(tmp_path / "a.zarr"), "--verify"])
    assert done.exit_code == 1
    assert "missing: level 0, chunk at (0, 0)" in done.stdout


def test_an_unfinished_store_says_how_far_it_is(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.zarr", PIXELS, "yx")
    region = writer.spec.layout.regions()[0]
    writer.write(region, cut(PIXELS.reshape(1, 1, 1, 300, 300), region))
    found = info(tmp_path / "a.zarr")
    assert found == {"path": "a.zarr", "progress": {"regions": 9, "done": 0}}
    done = CliRunner().invoke(main, ["info", str(tmp_path / "a.zarr")])
    assert done.exit_code == 0
    assert "0 of 9 regions done" in done.stdout


@pytest.mark.parametrize("what", ["nothing", "text", "group"])
def test_what_is_no_store_is_one_line_and_exit_code_2(tmp_path: Path, what: str) -> None:
    path = tmp_path / f"{what}.zarr"
    if what == "text":
        path.write_text("hello")
    if what == "group":
        zarr.open_group(str(path), mode="w")
    done = CliRunner().invoke(main, ["info", str(path)])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_real_stores_of_other_tools_are_described(shared_data: Path) -> None:
    folder = shared_data / "8_formats/zarr/neuroglancer_zarr/ome_zarr"
    found = info(folder / "simple_0.5", read_all=True)
    assert isinstance(found, Info)
    assert found.kind is None
    assert all(fault.kind != "broken" for fault in found.faults or ())
    assert open_image(folder / "simple_0.5").attributes == {}
