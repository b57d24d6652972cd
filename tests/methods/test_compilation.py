import os
import subprocess
import sys

import pytest
import torch

from stable_tiles.methods.stable import Stable
from stable_tiles.settings import (
    DiscriminatorSettings,
    NetworkSettings,
    Settings,
    TrainingSettings,
)
from tests.networks.nets import images

WITHOUT = """
from stable_tiles.errors import SettingsError
from stable_tiles.methods.choose import create
from stable_tiles.settings import Settings
try:
    create(Settings.model_validate({"training": {"compile": True}}), 1, 1, "cpu")
except SettingsError as error:
    print(error)
"""


def test_without_a_compiler_one_line_says_so_before_any_work() -> None:
    environment = {**os.environ, "CXX": "/no/compiler", "PATH": os.path.dirname(sys.executable)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith("training.compile: nothing can be compiled here (")
    assert line.endswith("or set training.compile=false")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_compiled_networks_give_the_losses_of_the_others_and_share_their_weights() -> None:
    results = []
    for compiled in (False, True):
        settings = Settings(
            network=NetworkSettings(widths=(4,), features=1, norm="none"),
            discriminator=DiscriminatorSettings(widths=(4,), norm="none"),
            training=TrainingSettings(compile=compiled, precision="32"),
        )
        torch.manual_seed(0)
        stable = Stable(settings, 1, 1, torch.device("cpu"))
        losses = [stable.step(images(1, 1, 16, 16), images(1, 1, 16, 16, 1), i) for i in (0, 1)]
        results.append((losses, stable.state_dict()["generator"]))
    assert results[0][1].keys() == results[1][1].keys(), "a checkpoint knows of no compilation"
    for eager, fast in zip(results[0][0], results[1][0], strict=True):
        for name, loss in eager.items():
            torch.testing.assert_close(fast[name], loss, atol=1e-4, rtol=1e-3)
