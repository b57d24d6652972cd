"""Rivals with networks as small as they can be."""

from __future__ import annotations

from typing import Any

from stable_tiles.methods.choose import create
from stable_tiles.methods.rival import Rival
from stable_tiles.settings import Settings

_CRITIC: dict[str, Any] = {"discriminator_width": 4, "discriminator_layers": 2}

SECTIONS: dict[str, dict[str, Any]] = {
    "cyclegan": {"network": {"width": 4, "blocks": 1}, "pool": 3, **_CRITIC},
    "utom": {"network": {"width": 4, "downsamplings": 3}, "pool": 3, **_CRITIC},
    "munit": {
        "network": {"width": 4, "blocks": 1, "hidden": 16},
        "discriminator_scales": 2,
        **_CRITIC,
    },
    "santa": {"network": {"width": 4, "encoder_blocks": 1, "decoder_blocks": 1}, **_CRITIC},
    "cut": {
        "network": {"width": 4, "blocks": 1},
        "patches": 32,
        "features": 16,
        **_CRITIC,
    },
}


def settings(name: str, training: dict[str, Any] | None = None, **changes: Any) -> Settings:
    """Settings of a small rival: changes of its section, and of the loop."""
    tree: dict[str, Any] = {
        "method": name,
        "data": {"patch": 16, "batch": 2},
        "training": training or {},
        name: {**SECTIONS[name], **changes},
    }
    return Settings.model_validate(tree)


def rival(name: str, channels: tuple[int, int] = (1, 1), **changes: Any) -> Rival:
    """A fresh small rival on the CPU."""
    made = create(settings(name, **changes), *channels, "cpu")
    assert isinstance(made, Rival)
    return made
