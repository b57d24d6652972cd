"""Watching a training: preview images and losses on held-out patches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from stable_tiles.networks.network import Network
from stable_tiles.networks.translator import Translator
from stable_tiles.train.measures import measure
from stable_tiles.train.patches import Patches, distinct
from stable_tiles.train.preview import write_preview
from stable_tiles.train.training import Training

PREVIEWED = 4
"""Patches of each domain in a preview."""

SETTLED = 8
"""Batches on which displacements and statistics are measured before networks are used."""

VALIDATED = 16
"""Batches of held-out data that a validation averages over."""


def settle(training: Training) -> None:
    """Measure on some patches what tiles need: displacements' bounds, statistics of norms."""
    training.network.settle(pairs(training.data, SETTLED, training.device))


@torch.no_grad()
def validate(training: Training) -> dict[str, float]:
    """Losses on held-out patches, the same patches every time.

    Returns
    -------
    dict
        ``cycle`` where the network translates both ways, ``information``
        where it has a shared feature map; of one direction the measures
        ``correlation`` and ``contrast`` of `measure`.
    """
    if training.held_out is None:
        raise ValueError("there are no held-out images to validate with")
    sums: dict[str, float] = {}
    with _evaluating(training.network) as network:
        for a, b in pairs(training.held_out, VALIDATED, training.device):
            for name, value in _judge(network, a, b).items():
                sums[name] = sums.get(name, 0.0) + value / VALIDATED
    return sums


def _judge(network: Network, a: Tensor, b: Tensor) -> dict[str, float]:
    """What a validation says of some patches."""
    if "b2a" not in network.directions:
        seen = measure(network, (a, b))["a2b"]
        return {name: seen[name] for name in ("correlation", "contrast")}
    to_b, to_a = network.translate(a, "a2b"), network.translate(b, "b2a")
    cycle = _l1(network.translate(to_b, "b2a"), a) + _l1(network.translate(to_a, "a2b"), b)
    if not isinstance(network, Translator):
        return {"cycle": cycle}
    information = _l1(network.encode(to_b, "b"), network.encode(a, "a"))
    information += _l1(network.encode(to_a, "a"), network.encode(b, "b"))
    return {"information": information, "cycle": cycle}


def preview(training: Training, step: int) -> dict[str, dict[str, float]]:
    """Write the preview of a step, always of the same patches; returns their measures."""
    made = [
        torch.from_numpy(np.stack([p.patch(i) for i in range(PREVIEWED)])).to(training.device)
        for p in distinct(training.data)
    ]
    a, b = made[0], made[-1]
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
        made = [torch.from_numpy(patches.batch(step)).to(device) for patches in distinct(data)]
        yield made[0], made[-1]


@contextmanager
def _evaluating(network: Network) -> Iterator[Network]:
    was_training = network.training
    network.eval()
    try:
        yield network
    finally:
        network.train(was_training)


def _l1(x: Tensor, y: Tensor) -> float:
    return float((x - y).abs().mean())
