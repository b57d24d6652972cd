"""What a checkpoint must carry, with a method that a test supplies."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stable_tiles.errors import FingerprintMismatch
from stable_tiles.networks.translator import Translator
from stable_tiles.settings import load_settings
from stable_tiles.train.domains import open_data
from stable_tiles.train.folder import RunFolder
from stable_tiles.train.log import LossLog
from stable_tiles.train.training import Training, restore, save
from tests.train.stores import random_pixels, write_store

SETTINGS = load_settings("smoke", ["data.patch=16", "network.widths=[4]", "network.features=1"])


class Noisy:
    """A method whose only loss is a random number."""

    def __init__(self) -> None:
        self.network = Translator(1, 1, SETTINGS.network)
        self.statistics: list[Tensor] = []
        self.steps = 0

    def step(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        self.steps += 1
        return {"total": torch.rand(())}

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]


def training(folder: Path, **inputs: str) -> Training:
    paths = [folder / "a.zarr", folder / "b.zarr"]
    for number, path in enumerate(paths):
        if not path.exists():
            write_store(path, random_pixels((1, 1, 1, 20, 20), number))
    data = open_data(SETTINGS, ([paths[0]], [paths[1]]))
    run = RunFolder(folder / "run")
    return Training(
        settings=SETTINGS,
        method=Noisy(),
        average=None,
        data=(data.a, data.b),
        held_out=None,
        run=run,
        log=LossLog(run.log, 2),
        save_model=lambda step: None,
        inputs=inputs,
        device=torch.device("cpu"),
    )


def test_random_numbers_and_the_methods_state_go_on_where_they_were(tmp_path: Path) -> None:
    first = training(tmp_path, config="1")
    a, b = first.batch(0)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        first.method.step(a, b, 0)
        save(first, 1)
        expected = first.method.step(a, b, 1)
        torch.manual_seed(0)
        again = training(tmp_path, config="1")
        assert restore(again) == 1
        assert again.method.state_dict() == {"steps": 1}
        assert torch.equal(again.method.step(a, b, 1)["total"], expected["total"])


def test_a_checkpoint_of_other_inputs_is_refused_by_their_names(tmp_path: Path) -> None:
    save(training(tmp_path, config="1", source="x"), 3)
    with pytest.raises(FingerprintMismatch, match="begun with another config, source"):
        restore(training(tmp_path, config="2", source="y"))


def test_without_a_checkpoint_a_run_starts_at_the_beginning(tmp_path: Path) -> None:
    fresh = training(tmp_path, config="1")
    fresh.run.path.mkdir()
    fresh.run.log.write_text('{"step": 4, "total": 1.0}\n')
    assert restore(fresh) == 0
    assert fresh.run.log.read_text() == "", "lines of a run without a checkpoint are void"
