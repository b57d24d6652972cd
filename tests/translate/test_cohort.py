from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stable_tiles.errors import InputError, ModelError, OutputExists, WorkFailed
from stable_tiles.image.store import open_image
from stable_tiles.image.writer import partial_folder
from stable_tiles.ledger import Ledger
from stable_tiles.translate.find import find_images
from stable_tiles.translate.options import Hardware
from stable_tiles.translate.verb import translate, translate_all
from tests.translate.scenes import array_files, noise, options, save_image, save_model

SIZES = [(300, 200), (64, 64), (130, 500)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return save_model(tmp_path / "run")


@pytest.fixture
def images(tmp_path: Path) -> list[tuple[Path, Path]]:
    pairs = []
    for k, (height, width) in enumerate(SIZES):
        save_image(tmp_path / f"{k}.zarr", noise(1, 1, 1, height, width, seed=k), "yx")
        pairs.append((tmp_path / f"{k}.zarr", tmp_path / f"{k}.out.zarr"))
    return pairs


@pytest.mark.parametrize("workers", [0, 2])
def test_each_image_of_many_has_the_bytes_it_has_alone(
    tmp_path: Path, run: Path, images: list[tuple[Path, Path]], workers: int
) -> None:
    seen: list[tuple[int, int]] = []
    chosen = options(run, hardware=Hardware(gpus=0, workers=workers))
    report = translate_all(images, chosen, lambda what, done, total: seen.append((done, total)))
    for source, target in images:
        translate(source, tmp_path / "alone.zarr", options(run, overwrite=True))
        assert array_files(target) == array_files(tmp_path / "alone.zarr")
        assert not partial_folder(target).exists()
    total = sum(image.regions for image in report.images)
    assert seen[0] == (0, total)
    assert seen[-1] == (total, total)
    assert [Path(image.output) for image in report.images] == [target for _, target in images]
    assert all(image.complete for image in report.images)
    assert report.megapixels == pytest.approx(sum(y * x for y, x in SIZES) / 1e6)
    assert 0 <= report.idle_fraction < 1


def test_one_broken_image_does_not_stop_the_others(
    run: Path, images: list[tuple[Path, Path]]
) -> None:
    chunk = next(path for path in (images[1][0] / "0" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(b"broken")
    with pytest.raises(
        WorkFailed, match=r"1 of 3 images are unfinished: 1.zarr: the region at t=0"
    ):
        translate_all(images, options(run))
    assert open_image(images[0][1]).shape == (1, 1, 1, *SIZES[0])
    assert open_image(images[2][1]).shape == (1, 1, 1, *SIZES[2])
    assert not images[1][1].exists()


def test_resume_leaves_finished_images_and_completes_the_rest(
    run: Path, images: list[tuple[Path, Path]]
) -> None:
    translate_all(images[:2], options(run))
    before = images[0][1].stat().st_mtime_ns
    with pytest.raises(OutputExists, match="exists"):
        translate_all(images, options(run))
    report = translate_all(images, options(run, resume=True))
    assert images[0][1].stat().st_mtime_ns == before
    assert [image.megapixels > 0 for image in report.images] == [False, False, True]
    other = save_model(run.parent / "other", seed=1)
    with pytest.raises(OutputExists, match="exists"):
        translate_all(images, options(other, resume=True))


def test_everything_is_checked_before_anything_is_written(
    tmp_path: Path, run: Path, images: list[tuple[Path, Path]]
) -> None:
    save_image(tmp_path / "rgb.zarr", noise(1, 3, 1, 64, 64), "cyx")
    with pytest.raises(ModelError, match="rgb"):
        translate_all([*images, (tmp_path / "rgb.zarr", None)], options(run))
    same = [(images[0][0], images[0][1]), (images[1][0], images[0][1])]
    with pytest.raises(InputError, match="would both become"):
        translate_all(same, options(run))
    assert not list(tmp_path.glob("*.out.zarr*"))


def test_a_dry_run_of_many_writes_nothing(run: Path, images: list[tuple[Path, Path]]) -> None:
    report = translate_all(images, options(run, dry_run=True))
    assert [image.dry_run for image in report.images] == [True] * 3
    assert report.idle_fraction == 0
    assert not any(target.exists() for _, target in images)


def test_images_come_from_names_and_lists(tmp_path: Path) -> None:
    lists = tmp_path / "stores.txt"
    lists.write_text("# slides\nb.zarr\n\nc.zarr\td.zarr\n")
    out = tmp_path / "out"
    assert find_images(["x/a.zarr"], lists, out) == [
        ("x/a.zarr", out / "a.translated.zarr"),
        ("b.zarr", out / "b.translated.zarr"),
        ("c.zarr", Path("d.zarr")),
    ]
    assert find_images(["x/a.zarr"], None, None) == [("x/a.zarr", None)]
    with pytest.raises(InputError, match="--list"):
        find_images([], None, None)
    with pytest.raises(InputError, match="cannot be read"):
        find_images([], tmp_path / "absent.txt", None)


WRITE = """
import sys, time
from pathlib import Path
from stable_tiles.translate.verb import translate
from tests.translate.scenes import options
def slowly(what, done, total):
    Path("begun").touch()
    time.sleep(60 if done else 0)
translate("0.zarr", "o.zarr", options(Path("run")), slowly)
"""


def test_an_output_is_written_by_one_process_which_the_other_names(
    tmp_path: Path, run: Path, images: list[tuple[Path, Path]]
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen([sys.executable, "-c", WRITE], cwd=tmp_path, env=environment)
    try:
        folder = partial_folder(tmp_path / "o.zarr")
        deadline = time.monotonic() + 60
        while not any(Ledger(folder).receipts()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for change in ({"resume": True}, {"overwrite": True}, {"part": (0, 2)}):
            with pytest.raises(OutputExists, match=f"written by process {process.pid} on"):
                translate(images[0][0], tmp_path / "o.zarr", options(run, **change))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    report = translate(images[0][0], tmp_path / "o.zarr", options(run, resume=True))
    assert report.complete
    assert report.resumed_regions >= 1
    translate(images[0][0], tmp_path / "whole.zarr", options(run))
    assert array_files(tmp_path / "o.zarr") == array_files(tmp_path / "whole.zarr")


def test_what_a_part_began_a_cohort_completes_when_told(
    tmp_path: Path, run: Path, images: list[tuple[Path, Path]]
) -> None:
    first = replace(options(run), part=(0, 2))
    translate(*images[0], first)
    with pytest.raises(OutputExists, match="begun and not finished"):
        translate_all(images, options(run))
    translate_all(images, options(run, resume=True))
    assert np.array_equal(open_image(images[0][1]).shape, (1, 1, 1, *SIZES[0]))
