"""Models of lively networks for the tests of exchange."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stable_tiles.model import Model
from stable_tiles.networks.statistics import instance_norms
from stable_tiles.settings import Normalization
from tests.networks.nets import lively
from tests.translate.scenes import domain

DOMAINS = {
    "a": domain(1, "uint16", normalization=Normalization(kind="percentile", low=1, high=99)),
    "b": domain(3),
}


def save(folder: Path, *, held: bool = True, **changes: Any) -> Path:
    """A run of these domains, with statistics if `held`."""
    network = lively((1, 3), **changes)
    for layer in instance_norms(network).values():
        if not held:
            layer.reset_running_stats()
    Model(network, network.settings, DOMAINS, {"steps": 3}).save(folder)
    return folder
