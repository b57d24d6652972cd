"""Every rival through the verb: a run that can be resumed, and holds a model."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from stable_tiles.errors import Interrupted
from stable_tiles.model import load_model
from stable_tiles.settings import RIVALS, Settings, dump_tree, load_settings
from stable_tiles.train.run import TrainOptions, train
from tests.methods.small import SECTIONS
from tests.train.stores import random_pixels, write_store


def tiny(name: str) -> Settings:
    """Settings of a training of six steps, of any shipped config."""
    tree = {
        "method": name,
        "data.patch": 16,
        "data.batch": 2,
        "training.steps": 6,
        "training.log_every": 2,
        "training.checkpoint_every": 2,
        "training.preview_every": 3,
        "training.validate_every": 3,
        "training.ema": 0.9 if name in {"cyclegan", "cut"} else "null",
        "training.precision": "'32'",
        name: SECTIONS[name],
    }
    return load_settings("smoke", [f"{key}={value}" for key, value in tree.items()])


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A source of one channel, a target of three, and as many to validate with."""
    folder = tmp_path_factory.mktemp("stores")
    paths = [folder / f"{name}.zarr" for name in ("a", "b", "held-a", "held-b")]
    for number, path in enumerate(paths):
        write_store(path, random_pixels((1, 1 + 2 * (number % 2), 1, 40, 40), number))
    return paths


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_interrupted_and_resumed_has_the_same_bits(
    name: str, stores: list[Path], tmp_path: Path
) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    a, b, held_a, held_b = stores
    judged = TrainOptions(val_sources=[held_a], val_targets=[held_b])
    whole = train(tiny(name), [a], [b], tmp_path / "whole", judged)
    with pytest.raises(Interrupted):
        train(tiny(name), [a], [b], tmp_path / "run", judged, interrupt)
    judged = TrainOptions(existing="resume", val_sources=[held_a], val_targets=[held_b])
    again = train(tiny(name), [a], [b], tmp_path / "run", judged)
    assert (whole.method, again.resumed_from) == (name, 4)
    assert again.losses == whole.losses
    files = [folder / "model.safetensors" for folder in (tmp_path / "run", tmp_path / "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()
    log = (tmp_path / "whole" / "log.jsonl").read_text()
    assert '"validation"' in log
    assert '"preview"' in log


@pytest.mark.parametrize("name", RIVALS)
def test_the_run_holds_the_model_and_the_settings_that_count(
    name: str, stores: list[Path], tmp_path: Path
) -> None:
    report = train(tiny(name), [stores[0]], [stores[1]], tmp_path / "run")
    model = load_model(tmp_path / "run")
    assert model.settings == tiny(name).architecture
    assert model.network.holds_statistics
    assert report.reach == {way: model.reach(way) for way in model.network.directions}
    assert load_settings(tmp_path / "run" / "config.yaml") == tiny(name)
    assert set(dump_tree(tiny(name))) & set(RIVALS) == {name}
    with torch.no_grad():
        assert model.network.translate(torch.rand(1, 1, 20, 24), "a2b").shape == (1, 3, 20, 24)
