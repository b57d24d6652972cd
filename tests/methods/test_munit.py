from __future__ import annotations

from typing import Any

import torch

from stable_tiles.networks.munit import MunitNetwork
from tests.methods.small import rival
from tests.networks.nets import images

WEIGHTS: dict[str, Any] = {
    "adversarial": 2.0,
    "image": 3.0,
    "style": 5.0,
    "content": 7.0,
    "cycle": 11.0,
}


def l1(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (x - y).abs().mean()


def test_losses_are_those_of_the_formulas() -> None:
    a, b = images(2, 1, 16, 16, 0), images(2, 3, 16, 16, 100)
    method = rival("munit", (1, 3), **WEIGHTS)
    net: Any = method.network.train()
    q_a, q_b = method.trained["discriminator_a"], method.trained["discriminator_b"]
    method.begin(4)
    s_a, s_b = method.drawn(2, 8), method.drawn(2, 8)
    x, y = 2 * a - 1, 2 * b - 1
    with torch.no_grad():
        c_a, c_b, own_a, own_b = net.content_a(x), net.content_b(y), net.look_a(x), net.look_b(y)
        to_a, to_b = net.decoder_a(c_b, s_a), net.decoder_b(c_a, s_b)
        again_b, again_a = net.content_a(to_a), net.content_b(to_b)
        adversarial = sum(((v - 1) ** 2).mean() for v in [*q_a(to_a), *q_b(to_b)])
        wanted = {
            "adversarial": adversarial,
            "image": l1(net.decoder_a(c_a, own_a), x) + l1(net.decoder_b(c_b, own_b), y),
            "style": l1(net.look_a(to_a), s_a) + l1(net.look_b(to_b), s_b),
            "content": l1(again_a, c_a) + l1(again_b, c_b),
            "cycle": l1(net.decoder_a(again_a, own_a), x) + l1(net.decoder_b(again_b, own_b), y),
        }
        wanted["total"] = sum(WEIGHTS[name] * value for name, value in wanted.items())
        for name, critic, real, fake in (("a", q_a, x, to_a), ("b", q_b, y, to_b)):
            wrong = [((v - 1) ** 2).mean() for v in critic(real)]
            wrong += [(v**2).mean() for v in critic(fake)]
            wanted[f"discriminator_{name}"] = torch.stack(wrong).sum()
    losses = method.step(a, b, 4)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value, atol=1e-4, rtol=1e-4)


def styles(how: str) -> MunitNetwork:
    network = rival("munit", translation_style=how).network
    assert isinstance(network, MunitNetwork)
    return network


def test_the_style_of_translations_is_drawn_zero_or_that_of_the_images() -> None:
    drawn, again, zero, reference = map(styles, ("seed", "seed", "zero", "reference"))
    assert torch.equal(drawn.style_b, again.style_b)
    assert drawn.style_b.abs().sum() > 0
    assert zero.style_b.abs().sum() == 0
    pairs = [(images(2, 1, 16, 16, 0), images(2, 1, 16, 16, 1))]
    for network in (drawn, reference):
        before = network.style_b.clone()
        network.settle(iter(pairs))
        assert torch.equal(network.style_b, before) == (network is drawn)
    with torch.no_grad():
        seen = reference.style(2 * pairs[0][1] - 1, "b").mean(dim=0, keepdim=True)
    torch.testing.assert_close(reference.style_b, seen)


def test_every_image_of_a_batch_has_the_same_style() -> None:
    network = styles("seed").eval()
    x = images(3, 1, 16, 16)
    with torch.no_grad():
        together = network.translate(x, "a2b")
        apart = torch.cat([network.translate(one, "a2b") for one in torch.split(x, 1)])
    torch.testing.assert_close(together, apart, atol=1e-6, rtol=1e-5)
