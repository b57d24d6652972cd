from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from stable_tiles.methods.cut import Cut, patch_nce
from tests.methods.small import rival
from tests.networks.nets import images


def nce(net: Any, projections: Any, pair: tuple[Tensor, Tensor], places: list[Tensor]) -> Tensor:
    """The contrast of an image and its translation, position by position."""
    terms = []
    for number, (seen, made) in enumerate(zip(*map(net.maps, pair), strict=True)):
        key, query = (
            torch.nn.functional.normalize(
                projections.maps[number](x.flatten(2)[:, :, places[number]].mT), dim=2
            )
            for x in (seen, made)
        )
        for image in range(len(key)):
            for place in range(key.shape[1]):
                alike = torch.exp(key[image] @ query[image, place] / 0.07)
                terms.append((number, -torch.log(alike[place] / alike.sum())))
    layers = {number for number, _ in terms}
    means = [torch.stack([t for n, t in terms if n == layer]).mean() for layer in layers]
    return torch.stack(means).mean()


@pytest.mark.parametrize("identity", [True, False])
def test_losses_are_those_of_the_formulas(identity: bool) -> None:
    a, b = images(2, 1, 16, 16, 0), images(2, 1, 16, 16, 100)
    method = rival("cut", adversarial=2, contrast=3, identity=identity)
    assert isinstance(method, Cut)
    net: Any = method.network.train()
    critic: Any = method.trained["discriminator_b"].train()
    x, y = 2 * a - 1, 2 * b - 1
    with torch.no_grad():
        method.begin(4)
        counts = [256, 256, 64, 16]
        drawn = [
            [torch.randperm(count, generator=method.random)[:32] for count in counts]
            for _ in range(2)
        ]
        fake = net.generator(x)
        contrast = nce(net, method.projections, (x, fake), drawn[0])
        if identity:
            kept = nce(net, method.projections, (y, net.generator(y)), drawn[1])
            contrast = (contrast + kept) / 2
        adversarial = ((critic(fake)[0] - 1) ** 2).mean()
        wanted = {
            "adversarial": adversarial,
            "contrast": contrast,
            "total": 2 * adversarial + 3 * contrast,
            "discriminator_b": ((critic(y)[0] - 1) ** 2).mean() + (critic(fake)[0] ** 2).mean(),
        }
    losses = method.step(a, b, 4)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value, atol=1e-4, rtol=1e-4)


def test_positions_that_cannot_be_told_cost_the_log_of_their_number() -> None:
    same = torch.ones(1, 8, 4) / 2
    torch.testing.assert_close(patch_nce(same, same, 0.07), torch.tensor(math.log(8)))
    apart = torch.eye(4)[None]
    expected = math.log(1 + 3 * math.exp(-1 / 0.07))
    torch.testing.assert_close(patch_nce(apart, apart, 0.07), torch.tensor(expected))


def test_the_translator_learns_nothing_through_the_keys() -> None:
    method = rival("cut", adversarial=0, identity=False)
    assert isinstance(method, Cut)
    method.step(images(2, 1, 16, 16, 0), images(2, 1, 16, 16, 100), 0)
    net: Any = method.network
    last = [p for name, p in net.generator.named_parameters() if p.grad is not None]
    assert len(last) == len(list(net.generator.parameters()))
