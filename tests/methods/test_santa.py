from __future__ import annotations

from typing import Any

import torch

from stable_tiles.methods.santa import path_length
from tests.methods.small import rival
from tests.networks.nets import images

WEIGHTS: dict[str, Any] = {"adversarial": 2.0, "reconstruction": 3.0, "latent": 5.0, "path": 7.0}


def test_losses_are_those_of_the_formulas() -> None:
    a, b = images(2, 1, 16, 16, 0), images(2, 1, 16, 16, 100)
    method = rival("santa", **WEIGHTS)
    net: Any = method.network.train()
    critic: Any = method.trained["discriminator_b"].train()
    x, y = 2 * a - 1, 2 * b - 1
    zero, one = torch.zeros(2), torch.ones(2)
    with torch.no_grad():
        mu_a, mu_b = net.encode(x), net.encode(y)
        method.begin(4)
        noise = method.drawn(4, *mu_a.shape[1:])
        h_a, h_b = mu_a + noise[:2], mu_b + noise[2:]
        fake = net.decode(h_a, one)[-1]
        c, e = method.uniform(0, 1, 2), method.uniform(0.05, 0.1, 2)
        far, near = torch.clamp(c + e, max=1), torch.clamp(c - e, min=0)
        apart = torch.clamp(far - near, min=0.1).view(2, 1, 1, 1)
        pairs = list(zip(net.decode(h_a, far)[:-1], net.decode(h_a, near)[:-1], strict=True))
        moved = [(((f - n) / apart) ** 2).mean() for f, n in pairs]
        own = (net.decode(h_a, zero)[-1] - x).abs().mean()
        wanted = {
            "adversarial": ((critic(fake)[0] - 1) ** 2).mean(),
            "reconstruction": own + (net.decode(h_b, one)[-1] - y).abs().mean(),
            "latent": (mu_a**2).mean() / 2 + (mu_b**2).mean() / 2,
            "path": torch.stack(moved).mean(),
        }
        wanted["total"] = sum(
            (WEIGHTS[name] * value for name, value in wanted.items()), torch.zeros(())
        )
        wanted["discriminator_b"] = ((critic(y)[0] - 1) ** 2).mean() + (critic(fake)[0] ** 2).mean()
    losses = method.step(a, b, 4)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value, atol=1e-5, rtol=1e-4)


def test_the_path_is_measured_on_five_maps() -> None:
    network = {"width": 4, "encoder_blocks": 1, "decoder_blocks": 5}
    net: Any = rival("santa", network=network).network.train()
    maps = net.decode(net.encode(images(1, 1, 16, 16)), torch.ones(1))
    assert [tuple(x.shape[1:]) for x in maps] == [
        (16, 4, 4), (16, 4, 4), (8, 8, 8), (4, 16, 16), (1, 16, 16), (1, 16, 16),
    ]  # fmt: skip
    torch.testing.assert_close(maps[-1], torch.tanh(maps[-2]))


def test_a_short_stretch_counts_as_a_tenth_of_the_path() -> None:
    far, near = [torch.full((2, 1, 1, 1), 3.0)], [torch.full((2, 1, 1, 1), 1.0)]
    length = path_length(far, near, torch.tensor([0.2, 0.01]))
    torch.testing.assert_close(length, torch.tensor((10.0**2 + 20.0**2) / 2))


def test_translations_have_no_noise() -> None:
    network = rival("santa").network.eval()
    x = images(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(network.translate(x, "a2b"), network.translate(x, "a2b"))
