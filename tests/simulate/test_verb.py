from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stable_tiles.errors import Interrupted, OutputExists
from stable_tiles.image.store import open_image
from stable_tiles.region import Region
from stable_tiles.simulate.plan import SimulateOptions
from stable_tiles.simulate.scene import Scene, View
from stable_tiles.simulate.tasks import TASKS, load_task
from stable_tiles.simulate.verb import simulate

SMALL = SimulateOptions(size=96, count=1)


PAIR: tuple[tuple[str, View], ...] = (("A", "a"), ("B", "b"))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_a_store_holds_the_pixels_of_its_scene(tmp_path: Path) -> None:
    report = simulate("calcium", tmp_path / "out", SimulateOptions(96, 1, 5, frames=2, slices=2))
    scene = Scene(load_task("calcium"), 5, "test/0000", 96)
    region = Region((0, 0, 0, 0), (2, 2, 96, 96))
    for folder, view in PAIR:
        image = open_image(tmp_path / "out/test" / folder / "0000.zarr")
        np.testing.assert_array_equal(image.read(region), scene.render(region, view))
        assert image.attributes["kind"] == "source"
        assert image.attributes["provenance"]["seed"] == 5
        assert image.axes.units["t"] == "second"
    cells = open_image(tmp_path / "out/test/labels/0000.zarr")
    assert cells.dtype == np.uint32
    assert cells.axes.names == "zyx"
    assert report.shape == [2, 2, 96, 96]
    assert report.labels == ["test/labels", "test/nuclei"]
    assert report.bytes_out > 0


def test_colour_images_are_stored_as_colour_images(tmp_path: Path) -> None:
    simulate("he", tmp_path / "out", SMALL)
    for folder in ("train/A", "train/B", "test/A"):
        image = open_image(tmp_path / "out" / folder / "0000.zarr")
        assert image.is_rgb
        assert image.shape == (1, 3, 1, 96, 96)
        assert image.axes.scale == {"y": 0.55, "x": 0.55}


def test_the_same_request_gives_the_same_files_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        simulate("calcium", tmp_path / name, SimulateOptions(96, 1, seed))
    one, two, three = (files(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    chunks = [name for name in one if "/c/" in name]
    assert chunks
    assert all(one[name] != three[name] for name in chunks)


def test_the_training_domains_show_different_scenes(tmp_path: Path) -> None:
    simulate("calcium", tmp_path / "out", SimulateOptions(size=256, count=1))
    region = Region((0, 0, 0, 0), (1, 1, 256, 256))

    def correlation(part: str) -> float:
        domains = [tmp_path / "out" / part / d / "0000.zarr" for d in "AB"]
        a, b = (open_image(path).read(region).astype(float).ravel() for path in domains)
        return float(np.corrcoef(a, b)[0, 1])

    assert abs(correlation("train")) < 0.08
    assert correlation("test") > 0.1


@pytest.mark.parametrize(("task", "channels"), [("calcium", None), ("calcium", 2), ("he", None)])
def test_tiff_files_hold_the_same_pixels_and_their_size(
    tmp_path: Path, task: str, channels: int | None
) -> None:
    frames = 1 if channels or task == "he" else 2
    options = SimulateOptions(300, 1, frames=frames, channels=channels, file_format="tiff")
    simulate(task, tmp_path / "out", options)
    loaded = load_task(task)
    scene = Scene(loaded, 0, "train/A/0000", 300, channels or loaded.extent.channels.start)
    pixels = scene.render(Region((0, 0, 0, 0), (frames, 1, 300, 300)), "a")
    with tifffile.TiffFile(tmp_path / "out/train/A/0000.ome.tif") as tiff:
        series = tiff.series[0]
        expected = np.squeeze(np.moveaxis(pixels, 1, -1) if task == "he" else pixels)
        np.testing.assert_array_equal(series.asarray().squeeze(), expected)
        assert tiff.ome_metadata
        assert f'PhysicalSizeX="{loaded.axes("yx", 300).scale["x"]}"' in tiff.ome_metadata
        assert 'PhysicalSizeXUnit="µm"' in tiff.ome_metadata


def test_an_existing_data_set_is_refused_then_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    simulate("calcium", out, SMALL)
    before = files(out)
    with pytest.raises(OutputExists, match="--overwrite"):
        simulate("calcium", out, SimulateOptions(96, 1, 1))
    assert files(out) == before
    simulate("calcium", out, SimulateOptions(96, 1, 1, overwrite=True))
    assert files(out) != before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(OutputExists, match=r"thesis\.txt"):
        simulate("calcium", tmp_path, SimulateOptions(96, 1, overwrite=True))
    with pytest.raises(OutputExists, match="is a file"):
        simulate("calcium", tmp_path / "thesis.txt", SMALL)


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="run the same command again"):
        simulate("calcium", tmp_path / "out", SMALL, stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file_format", ["zarr", "tiff"])
def test_progress_ends_at_its_total(tmp_path: Path, file_format: str) -> None:
    seen: list[tuple[int, int]] = []
    options = SimulateOptions(96, 1, slices=2, file_format=file_format)  # type: ignore[arg-type]  # both are formats
    simulate(
        "calcium", tmp_path / "out", options, lambda _, done, total: seen.append((done, total))
    )
    total = seen[-1][1]
    assert seen == [(k, total) for k in range(1, total + 1)]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    report = simulate("calcium", tmp_path / "out", SimulateOptions(2**17, 1, dry_run=True))
    assert not list(tmp_path.iterdir())
    assert report.bytes_raw == 2**34 * (4 * 2 + 2 * 4)
    assert report.memory_bytes < 2**30
    assert report.bytes_out == 0


def test_the_memory_of_a_movie_does_not_grow_with_its_length(tmp_path: Path) -> None:
    short, long = (
        simulate("calcium", tmp_path / "out", SimulateOptions(512, 1, frames=n, dry_run=True))
        for n in (10**3, 10**5)
    )
    assert short.memory_bytes == long.memory_bytes < 2**30
    assert long.bytes_raw > 80 * short.bytes_raw


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_task_writes_pairs_of_the_same_names_with_labels_where_there_are_cells(
    tmp_path: Path, task: str
) -> None:
    simulate(task, tmp_path / "out", SimulateOptions(64, 2))
    folders = {
        p.name: sorted(q.name for q in p.iterdir()) for p in (tmp_path / "out/test").iterdir()
    }
    assert folders["A"] == folders["B"] == ["0000.zarr"]
    assert all(names == folders["A"] for names in folders.values())
    assert ("labels" in folders) == (task not in {"mri", "penicillium"})
    for domain in "AB":
        stored = sorted(p.name for p in (tmp_path / "out/train" / domain).iterdir())
        assert stored == ["0000.zarr", "0001.zarr"]
        image = open_image(tmp_path / "out/test" / domain / "0000.zarr")
        assert image.shape[3:] == (64, 64)
        assert image.axes.scale


@pytest.mark.parametrize("task", ["dapi", "mri", "penicillium", "planaria"])
def test_stacks_are_stored_with_their_depth(tmp_path: Path, task: str) -> None:
    simulate(task, tmp_path / "out", SimulateOptions(64, 1, slices=3))
    image = open_image(tmp_path / "out/test/A/0000.zarr")
    assert image.axes.names == "zyx"
    region = Region((0, 0, 0, 0), (1, 3, 64, 64))
    scene = Scene(load_task(task), 0, "test/0000", 64, sections=3)
    np.testing.assert_array_equal(image.read(region), scene.render(region, "a"))


def test_the_record_names_every_image(tmp_path: Path) -> None:
    simulate("he", tmp_path / "out", SMALL)
    record = json.loads((tmp_path / "out/simulation.json").read_text())
    assert record["task"] == "he"
    assert all((tmp_path / "out" / name).is_dir() for name in record["images"])
