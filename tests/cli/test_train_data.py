"""What `train` makes of its stores, from the command line: splits, leaks, bad data."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner, Result
from stable_tiles_cli.main import main

from tests.train.stores import random_pixels, write_store

TINY = (
    "data.patch=16",
    "data.batch=2",
    "network.widths=[4, 8]",
    "network.features=2",
    "discriminator.widths=[4]",
    "training.steps=4",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Stores a, b, c, d of noise, all of one shape."""
    for number, name in enumerate("abcd"):
        write_store(tmp_path / f"{name}.zarr", random_pixels((1, 1, 2, 48, 48), number))
    return tmp_path


def invoke(folder: Path, *more: str, sources: str = "a", targets: str = "b") -> Result:
    words = [word for change in TINY for word in ("--set", change)]
    for option, names in (("--source", sources), ("--target", targets)):
        words += [word for name in names for word in (option, str(folder / f"{name}.zarr"))]
    return CliRunner().invoke(main, ["train", "smoke", "--out", str(folder / "run"), *words, *more])


def refused(result: Result, code: int = 2) -> str:
    """The error line of a command that must fail with that exit code and say no more."""
    assert result.exit_code == code, result.output
    lines = [line for line in result.stderr.splitlines() if not line.startswith("Warning")]
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    return lines[0]


def test_every_training_says_which_store_is_in_which_domain(folder: Path) -> None:
    held_out = ("--val-source", str(folder / "c.zarr"), "--val-target", str(folder / "d.zarr"))
    result = invoke(folder, "--dry-run", "--json", *held_out)
    split = json.loads(result.stdout)["split"]
    names = {key: [part["store"] for part in split[key]] for key in split if key != "kind"}
    assert names == {
        "a": ["a.zarr"],
        "b": ["b.zarr"],
        "validation_a": ["c.zarr"],
        "validation_b": ["d.zarr"],
    }
    assert split["a"][0] == {
        "store": "a.zarr",
        "y": [0, 48],
        "x": [0, 48],
        "planes": [0, 2],
        "level": 0,
    }
    assert not (folder / "run").exists()


def test_the_split_is_kept_in_the_run_and_in_the_model(folder: Path) -> None:
    result = invoke(folder, "--split", "--json")
    assert result.exit_code == 0, result.stderr
    split = json.loads(result.stdout)["split"]
    assert split["a"][0]["x"] == [0, 23]
    assert split["b"][0]["x"] == [25, 48]
    assert json.loads((folder / "run" / "split.json").read_text()) == split
    model = json.loads((folder / "run" / "model.json").read_text())
    assert model["provenance"]["split"] == split


def test_a_dry_run_shows_the_split_to_people(folder: Path) -> None:
    text = invoke(folder, "--split", "--dry-run").stdout
    assert "split: halves of a pair" in text
    assert "A: a.zarr, y 0:48, x 0:23, 2 planes, read at level 0" in text
    assert "B: b.zarr, y 0:48, x 25:48, 2 planes, read at level 0" in text


def as_link(folder: Path) -> Path:
    (folder / "link.zarr").symlink_to(folder / "a.zarr")
    return folder / "link.zarr"


def as_copy(folder: Path) -> Path:
    return Path(shutil.copytree(folder / "a.zarr", folder / "copy.zarr"))


def rechunked(folder: Path) -> Path:
    write_store(folder / "again.zarr", random_pixels((1, 1, 2, 48, 48), 0), chunk=16, shard=32)
    return folder / "again.zarr"


def by_another_path(folder: Path) -> Path:
    return Path(os.path.relpath(folder / "a.zarr"))


@pytest.mark.parametrize("twin", [as_link, as_copy, rechunked, by_another_path])
@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--target",), "unpaired training needs different images, or --split"),
        (("--val-target", "c", "--val-source"), "validate with images that are not trained on"),
        (("--val-source", "c", "--val-target"), "validate with images that are not trained on"),
        (("--source", "c", "--split", "--target"), "a store may be in one pair only"),
    ],
    ids=["both domains", "validation of a", "validation of b", "two pairs"],
)
def test_a_planted_leak_is_refused(
    folder: Path, twin: Callable[[Path], Path], options: tuple[str, ...], line: str
) -> None:
    words = [str(folder / "c.zarr") if word == "c" else word for word in options]
    result = invoke(folder, *words, str(twin(folder)))
    error = refused(result)
    assert line in error
    assert "a.zarr" in error
    assert not (folder / "run").exists()


def test_one_store_may_be_both_halves_of_a_split(folder: Path) -> None:
    assert invoke(folder, "--split", targets="a").exit_code == 0


def test_images_of_one_shape_that_compress_to_one_size_are_not_the_same(folder: Path) -> None:
    sizes = {sum(f.stat().st_size for f in (folder / f"{n}.zarr").rglob("*")) for n in "ab"}
    assert len(sizes) <= 2
    assert invoke(folder, "--dry-run").exit_code == 0


def flip(chunk: Path) -> None:
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 4
    chunk.write_bytes(bytes(data))


def chunk_of(store: Path, *position: int) -> Path:
    return store.joinpath("0", "c", *map(str, position))


def with_bad_chunk(folder: Path) -> str:
    flip(chunk_of(folder / "a.zarr", 0, 0, 1, 0, 1))
    return "a.zarr level 0, t 0, z 1, y 0, x 32: cannot be read (Zstd decompression error"


def with_missing_chunk(folder: Path) -> str:
    chunk_of(folder / "a.zarr", 0, 0, 1, 1, 0).unlink()
    return "a.zarr level 0, t 0, z 1, y 32, x 0: the chunk is missing"


def with_missing_shard(folder: Path) -> str:
    shutil.rmtree(folder / "a.zarr")
    write_store(folder / "a.zarr", random_pixels((1, 1, 2, 48, 48), 0), chunk=16, shard=32)
    chunk_of(folder / "a.zarr", 0, 0, 0, 1, 1).unlink()
    return "a.zarr level 0, t 0, z 1, y 32, x 32: the chunk is missing"


def with_nan(folder: Path) -> str:
    pixels = random_pixels((1, 1, 2, 48, 48), 0, "float32")
    pixels[0, 0, 1, 40, 3] = np.nan
    shutil.rmtree(folder / "a.zarr")
    write_store(folder / "a.zarr", pixels)
    return "a.zarr level 0, t 0, z 1, y 40, x 3: holds NaN or infinity"


BAD = [with_bad_chunk, with_missing_chunk, with_missing_shard, with_nan]


@pytest.mark.parametrize("spoil", BAD)
def test_a_bad_block_ends_a_training_in_one_line_with_its_position(
    folder: Path, spoil: Callable[[Path], str]
) -> None:
    expected = spoil(folder)
    error = refused(invoke(folder, "--set", "training.steps=40", "--quiet"), code=1)
    assert expected in error
    assert "--skip-bad" in error


@pytest.mark.parametrize("spoil", BAD)
def test_a_bad_block_can_be_skipped_is_logged_once_and_counted(
    folder: Path, spoil: Callable[[Path], str]
) -> None:
    expected = spoil(folder)
    result = invoke(folder, "--skip-bad", "--set", "training.steps=40", "--json")
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    skipped = [line for line in lines if "skipped" in line]
    assert json.loads(result.stdout)["skipped"] == len(skipped) >= 1
    first = skipped[0]["skipped"]
    named = "{store} level {level}, t {t}, z {z}, y {y}, x {x}: {reason}".format(**first)
    assert named.startswith(expected)
    assert f"Warning: skipped {expected}" in result.stderr
    assert len({json.dumps(line["skipped"]) for line in skipped}) == len(skipped)


def constant(path: Path) -> str:
    write_store(path, np.full((1, 1, 1, 48, 48), 7, np.uint8))
    return "bad.zarr level 0 is constant from t 0, z 0, y 0, x 0 on (every pixel is 7)"


def small(path: Path) -> str:
    write_store(path, random_pixels((1, 1, 1, 48, 12)))
    return "patches of 16 px do not fit into bad.zarr (48 x 12 px at level 0)"


def one_channel_more(path: Path) -> str:
    write_store(path, random_pixels((1, 2, 1, 48, 48)))
    return "bad.zarr has 2 channels but a.zarr has 1"


def no_channels(path: Path) -> str:
    write_store(path, random_pixels((1, 1, 1, 48, 48)))
    group = zarr.open_group(str(path), mode="r+")
    shape = (1, 0, 1, 48, 48)
    group.create_array("0", shape=shape, chunks=(1, 1, 1, 48, 48), dtype="uint8", overwrite=True)
    return "bad.zarr"


def only_nan(path: Path) -> str:
    write_store(path, np.full((1, 1, 1, 48, 48), np.nan, np.float32))
    return "bad.zarr holds no finite pixels"


def without_metadata(path: Path) -> str:
    write_store(path, random_pixels((1, 1, 1, 48, 48)))
    (path / "zarr.json").write_text("{")
    return "bad.zarr is not an OME-Zarr image"


USELESS = [constant, small, one_channel_more, no_channels, only_nan, without_metadata]


@pytest.mark.parametrize("spoil", USELESS)
def test_a_store_that_cannot_be_used_is_refused_before_any_work(
    folder: Path, spoil: Callable[[Path], str]
) -> None:
    expected = spoil(folder / "bad.zarr")
    assert expected in refused(invoke(folder, "--source", str(folder / "bad.zarr")))
    assert not (folder / "run").exists()


@pytest.mark.parametrize("spoil", USELESS)
def test_a_store_that_cannot_be_used_can_be_left_out(
    folder: Path, spoil: Callable[[Path], str]
) -> None:
    spoil(folder / "bad.zarr")
    options = ("--source", str(folder / "bad.zarr"), "--skip-bad", "--json")
    report = document(invoke(folder, *options))
    assert report["skipped"] == 1
    assert [part["store"] for part in report["split"]["a"]] == ["a.zarr"]
    lines = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert lines[0]["step"] == 0
    assert lines[0]["skipped"]["store"] == "bad.zarr"
    again = document(invoke(folder, *options, "--resume", "--set", "training.steps=5"))
    assert again["skipped"] == 1, "a resumed run logs it once"


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def test_a_domain_without_a_usable_store_is_refused_even_when_skipping(folder: Path) -> None:
    constant(folder / "bad.zarr")
    shutil.move(folder / "bad.zarr", folder / "e.zarr")
    error = refused(invoke(folder, "--skip-bad", sources="e"))
    assert "no store of this domain can be used; e.zarr: " in error


def test_a_store_that_is_not_there_is_no_bad_store(folder: Path) -> None:
    error = refused(invoke(folder, "--skip-bad", sources="ax"))
    assert "no store" in error


def test_validation_needs_the_channels_of_its_domain(folder: Path) -> None:
    one_channel_more(folder / "bad.zarr")
    held_out = ("--val-source", str(folder / "bad.zarr"), "--val-target", str(folder / "c.zarr"))
    assert "bad.zarr has 2 channels but a.zarr has 1" in refused(invoke(folder, *held_out))
