"""The denoiser's training: patches with frames, one domain, exact resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stable_tiles.errors import InputError, Interrupted
from stable_tiles.image.store import Image
from stable_tiles.model import load_model
from stable_tiles.settings import DataSettings, Normalization, Settings
from stable_tiles.train.patches import Patches
from stable_tiles.train.run import TrainOptions, TrainReport, train
from stable_tiles.train.sources import Portion
from tests.train.stores import random_pixels, write_store

PLAIN = Normalization(kind="none")
TINY: dict[str, Any] = {
    "method": "support",
    "data": {"patch": 16, "batch": 2, "normalize": {"low": 50, "high": 95}},
    "support": {"network": {"frames": 5, "widths": [4, 8], "branch": 4, "head": [4]}},
    "training": {"steps": 6, "checkpoint_every": 3, "preview_every": 6, "log_every": 1},
}


@pytest.fixture
def recording(tmp_path: Path) -> Image:
    return write_store(tmp_path / "movie.zarr", random_pixels((9, 1, 2, 40, 36)), "tzyx")


def learn(out: Path, store: Path, steps: int = 6, **options: Any) -> TrainReport:
    tree = {**TINY, "training": {**TINY["training"], "steps": steps}}
    given = TrainOptions(device="cpu", **options)
    return train(Settings.model_validate(tree), [store], [], out, given)


def test_a_patch_is_as_many_frames_of_one_place(recording: Image) -> None:
    pixels = random_pixels((9, 1, 2, 40, 36))
    data = DataSettings(patch=16, batch=30, normalize=PLAIN, augment=False)
    patches = Patches([recording], data, (0, 0), portions=[Portion(frames=5)])
    batch = patches.batch(0)
    assert batch.shape == (30, 5, 1, 16, 16)
    first = set()
    for i, piece in enumerate(batch):
        part = patches.place(i)
        t, z = divmod(part.planes[0], 2)
        assert part.planes[1] - part.planes[0] == 4 * 2 + 1
        expected = pixels[t : t + 5, :, z, slice(*part.y), slice(*part.x)]
        assert np.array_equal(piece, expected)
        first.add(t)
    assert first == set(range(5)), "every first frame that has four behind it"


def test_all_frames_of_a_patch_are_turned_alike(recording: Image) -> None:
    data = DataSettings(patch=16, normalize=PLAIN)
    turned = Patches([recording], data, (0, 0), portions=[Portion(frames=5)])
    straight = Patches(
        [recording],
        data.model_copy(update={"augment": False}),
        (0, 0),
        portions=[Portion(frames=5)],
    )
    for i in range(12):
        after, before = turned.patch(i), straight.patch(i)
        ways = [np.rot90(p, k, (-2, -1)) for p in (before, before[..., ::-1]) for k in range(4)]
        assert any(np.array_equal(after, way) for way in ways)


def test_a_movie_that_is_too_short_is_refused_with_what_would_fit(tmp_path: Path) -> None:
    write_store(tmp_path / "short.zarr", random_pixels((4, 1, 1, 32, 32)), "tyx")
    with pytest.raises(InputError, match=r"has 4 frames.*support\.network\.frames=3"):
        learn(tmp_path / "run", tmp_path / "short.zarr")


def test_the_denoiser_takes_no_target(recording: Image, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leave out --target"):
        train(Settings.model_validate(TINY), [recording.path], [recording.path], tmp_path / "run")


def test_a_resumed_denoiser_has_the_bits_of_one_that_was_not(
    recording: Image, tmp_path: Path
) -> None:
    report = learn(tmp_path / "whole", Path(recording.path))
    assert (report.method, report.steps) == ("support", 6)
    assert set(report.losses) == {"l1", "l2", "total"}
    stopped = False

    def stop(what: str, done: int, total: int) -> None:
        nonlocal stopped
        if done == 3 and not stopped:
            stopped = True
            raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        train(
            Settings.model_validate(TINY),
            [recording.path],
            [],
            tmp_path / "halved",
            TrainOptions(device="cpu"),
            stop,
        )
    again = learn(tmp_path / "halved", Path(recording.path), existing="resume")
    assert again.resumed_from == 3
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("whole", "halved")]
    assert weights[0] == weights[1]


def test_a_run_says_what_it_was_made_of(recording: Image, tmp_path: Path) -> None:
    held_out = write_store(tmp_path / "other.zarr", random_pixels((7, 1, 1, 32, 32), 1), "tyx")
    learn(tmp_path / "run", Path(recording.path), val_sources=(held_out.path,))
    model = load_model(tmp_path / "run")
    assert model.target("a2b").dtype == "float32"
    assert [s["name"] for s in model.provenance["sources"]] == ["movie.zarr"]
    assert "targets" not in model.provenance
    lines = [json.loads(t) for t in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert any("validation" in line for line in lines)
    assert (tmp_path / "run" / "previews" / "step-00000006.png").is_file()


def test_a_dry_run_measures_patches_of_one_domain(recording: Image, tmp_path: Path) -> None:
    report = learn(tmp_path / "run", Path(recording.path), dry_run=True)
    assert report.dry_run
    assert report.split["b"] == []
    assert not (tmp_path / "run").exists()
