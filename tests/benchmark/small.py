"""A benchmark as small as it can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stable_tiles.benchmark.plan import BenchmarkOptions

TINY = (
    "data.patch=16",
    "data.batch=1",
    "data.workers=0",
    "network.widths=[4, 8]",
    "network.features=2",
    "discriminator.widths=[4]",
    "training.checkpoint_every=2",
    "training.decay_steps=null",
    "training.precision='32'",
    "cyclegan.network.width=4",
    "cyclegan.network.blocks=1",
    "cyclegan.discriminator_width=4",
    "cyclegan.discriminator_layers=2",
)


def options(data: Path | None = None, **changes: Any) -> BenchmarkOptions:
    """Two methods, six steps each, one seed."""
    told: dict[str, Any] = {
        "methods": ("stable", "cyclegan"),
        "steps": 6,
        "seeds": 1,
        "config": "smoke",
        "overrides": TINY,
        "data": data,
        "size": 64,
        "count": 1,
        "frames": 3,
        "device": "cpu",
        **changes,
    }
    return BenchmarkOptions(**told)
