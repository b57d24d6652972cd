from __future__ import annotations

import pytest
import torch

from stable_tiles.errors import SettingsError
from stable_tiles.methods.choose import create
from stable_tiles.settings import NetworkSettings, Settings, TrainingSettings

TINY = NetworkSettings(widths=(4, 8), features=2)


def test_weights_follow_the_seed_and_leave_others_draws_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    states = [
        create(
            Settings(network=TINY, training=TrainingSettings(seed=seed)), 1, 1, "cpu"
        ).network.state_dict()
        for seed in (5, 5, 6)
    ]
    assert torch.equal(torch.rand(3), expected)
    name = "encoder_a.first.inner.conv.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"network\.widths"):
        create(Settings(network=NetworkSettings(widths=(4, 6))), 1, 1, "cpu")
