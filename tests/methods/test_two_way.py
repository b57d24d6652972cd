"""CycleGAN and UTOM: every loss is that of the formulas, computed again by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from stable_tiles.methods.rival import Rival
from stable_tiles.methods.utom import saliency
from tests.methods.small import rival
from tests.networks.nets import images


def patches(channels: tuple[int, int] = (1, 1)) -> tuple[Tensor, Tensor]:
    return images(2, channels[0], 16, 16, 0), images(2, channels[1], 16, 16, 100)


def shared_terms(method: Rival, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """Both methods' terms, from patches in -1..1."""
    net: Any = method.network
    q_a, q_b = method.trained["discriminator_a"], method.trained["discriminator_b"]
    there, back = net.generator_a2b, net.generator_b2a
    fake_b, fake_a = there(a), back(b)

    def wrong(verdict: Tensor, wanted: float) -> Tensor:
        return ((verdict - wanted) ** 2).mean()

    return {
        "adversarial": wrong(q_a(fake_a)[0], 1) + wrong(q_b(fake_b)[0], 1),
        "cycle": (back(fake_b) - a).abs().mean() + (there(fake_a) - b).abs().mean(),
        "discriminator_a": wrong(q_a(a)[0], 1) + wrong(q_a(fake_a)[0], 0),
        "discriminator_b": wrong(q_b(b)[0], 1) + wrong(q_b(fake_b)[0], 0),
    }


def assert_losses(method: Rival, wanted: dict[str, Tensor], a: Tensor, b: Tensor, at: int) -> None:
    losses = method.step(a, b, at)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def by_hand(name: str, a: Tensor, b: Tensor, **changes: Any) -> tuple[Rival, dict[str, Tensor]]:
    """A fresh method in training mode, and its terms on patches in -1..1."""
    method = rival(name, **changes)
    for module in method.trained.values():
        module.train()
    return method, shared_terms(method, a, b)


def test_cyclegans_losses_are_those_of_the_formulas() -> None:
    a, b = patches()
    method, wanted = by_hand("cyclegan", 2 * a - 1, 2 * b - 1, adversarial=2, cycle=7, identity=0.3)
    with torch.no_grad():
        net: Any = method.network
        same = (net.generator_a2b(2 * b - 1) - (2 * b - 1)).abs().mean()
        same = same + (net.generator_b2a(2 * a - 1) - (2 * a - 1)).abs().mean()
    wanted["identity"] = same
    wanted["total"] = 2 * wanted["adversarial"] + 7 * wanted["cycle"] + 0.3 * 7 * same
    assert_losses(method, wanted, a, b, 0)


def test_cyclegan_leaves_identity_out_where_channels_differ() -> None:
    a, b = patches((1, 3))
    losses = rival("cyclegan", (1, 3)).step(a, b, 0)
    assert losses["identity"] == 0
    whole = losses["adversarial"] + 10 * losses["cycle"]
    torch.testing.assert_close(losses["total"], whole)


def test_utoms_losses_are_those_of_the_formulas_and_saliency_fades() -> None:
    a, b = patches()
    method, wanted = by_hand("utom", 2 * a - 1, 2 * b - 1, saliency_images=40)
    with torch.no_grad():
        net: Any = method.network
        fake_b, fake_a = net.generator_a2b(2 * a - 1), net.generator_b2a(2 * b - 1)
        of_a = [torch.sigmoid(100 * (x - (70 / 127.5 - 1))) for x in (2 * a - 1, fake_a)]
        of_b = [1 - torch.sigmoid(100 * (x - (220 / 127.5 - 1))) for x in (2 * b - 1, fake_b)]
        kept = (of_a[0] - of_b[1]).abs().mean() + (of_a[1] - of_b[0]).abs().mean()
    wanted["saliency"] = kept
    faded = 50 * math.exp(-10 * 2 / 40)
    wanted["total"] = wanted["adversarial"] + 10 * wanted["cycle"] + faded * kept
    assert_losses(method, wanted, a, b, 10)


@pytest.mark.parametrize(("objects", "wanted"), [("bright", [0, 0.5, 1]), ("dark", [1, 0.5, 0])])
def test_what_is_salient_lies_on_its_side_of_the_threshold(
    objects: Any, wanted: list[float]
) -> None:
    grey = torch.tensor([60.0, 70.0, 80.0]).view(1, 1, 1, 3) / 127.5 - 1
    mask = saliency(grey.expand(1, 3, 1, 3), 70, objects)
    assert mask.shape == (1, 1, 1, 3)
    torch.testing.assert_close(mask.flatten(), torch.tensor(wanted), atol=1e-3, rtol=0)


def test_discriminators_learn_half_their_loss() -> None:
    a, b = patches()
    whole, same = rival("cyclegan", pool=0), rival("cyclegan", pool=0)
    for module in same.trained.values():
        module.train()
    whole.step(a, b, 0)
    critic: Any = same.trained["discriminator_b"]
    with torch.no_grad():
        fake = same.network.generate(2 * a - 1, "a2b")
    loss = (critic(2 * b - 1)[0] - 1).square().mean() + critic(fake)[0].square().mean()
    torch.autograd.backward(0.5 * loss)
    for mine, wanted in zip(
        whole.trained["discriminator_b"].parameters(), critic.parameters(), strict=True
    ):
        torch.testing.assert_close(mine.grad, wanted.grad, atol=1e-6, rtol=1e-3)
