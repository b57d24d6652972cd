"""Watching a training: preview images and losses on held-out patches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from stable_tiles.networks.translator import Translator
from stable_tiles.train.measures import measure
from stable_tiles.train.patches import Patches
from stable_tiles.train.preview import write_preview
from stable_tiles.train.training import Training

PREVIEWED = 4
"""Patches of each domain in a preview."""

BOUNDED = 8
"""Batches on which learned displacements are measured before networks are used."""

VALIDATED = 16
"""Batches of held-out data that a validation averages over."""


def bound(training: Training) -> None:
    """Bound the learned displacements by those of some patches, so that the reach is finite."""
    training.network.bound_offsets(pairs(training.data, BOUNDED, training.device))


@torch.no_grad()
def validate(training: Training) -> dict[str, float]:
    """Cycle and information losses on held-out patches, the same patches every time."""
    if training.held_out is None:
        raise ValueError("there are no held-out images to validate with")
    sums = {"information": 0.0, "cycle": 0.0}
    with _evaluating(training.network) as network:
        for a, b in pairs(training.held_out, VALIDATED, training.device):
            to_b, to_a = network.translate(a, "a2b"), network.translate(b, "b2a")
            cycle = _l1(network.translate(to_b, "b2a"), a) + _l1(network.translate(to_a, "a2b"), b)
            information = _l1(network.encode(to_b, "b"), network.encode(a, "a"))
            information += _l1(network.encode(to_a, "a"), network.encode(b, "b"))
            sums["cycle"] += cycle / VALIDATED
            sums["information"] += information / VALIDATED
    return sums


def preview(training: Training, step: int) -> dict[str, dict[str, float]]:
    """Write the preview of a step, always of the same patches; returns their measures."""
    a, b = (
        torch.from_numpy(np.stack([p.patch(i) for i in range(PREVIEWED)])).to(training.device)
        for p in training.data
    )
    channels = tuple(patches.named_channels for patches in training.data)
    file = training.run.previews / f"step-{step:08d}.png"
    with _evaluating(training.network) as network:
        size = write_preview(file, network, (a, b), (channels[0], channels[1]))
        measures = measure(network, (a, b))
    training.board.image(step, "preview", file.read_bytes(), size)
    return measures


def pairs(
    data: tuple[Patches, Patches], count: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """The first `count` batches of both domains, on the device."""
    for step in range(count):
        a, b = (torch.from_numpy(patches.batch(step)).to(device) for patches in data)
        yield a, b


@contextmanager
def _evaluating(network: Translator) -> Iterator[Translator]:
    was_training = network.training
    network.eval()
    try:
        yield network
    finally:
        network.train(was_training)


def _l1(x: Tensor, y: Tensor) -> float:
    return float((x - y).abs().mean())
