from __future__ import annotations

import pytest
import torch

from stable_tiles.methods.symmetry import COUNT, draw, turn
from stable_tiles.settings import LossSettings
from tests.methods.test_stable import method, patches

X = torch.arange(2 * 25, dtype=torch.float32).reshape(1, 2, 5, 5)


def test_the_symmetries_are_eight_and_keep_every_pixel() -> None:
    turned = [turn(X, n) for n in range(COUNT)]
    assert torch.equal(turned[0], X)
    assert len({tuple(t.flatten().tolist()) for t in turned}) == COUNT
    for t in turned:
        assert torch.equal(t.flatten(2).sort().values, X.flatten(2).sort().values)


def test_a_step_draws_the_same_symmetry_again_and_all_but_the_identity_come() -> None:
    drawn = [draw(3, step) for step in range(200)]
    assert drawn == [draw(3, step) for step in range(200)]
    assert set(drawn) == set(range(1, COUNT))
    assert drawn != [draw(4, step) for step in range(200)]


@pytest.mark.parametrize("symmetry", range(1, COUNT))
def test_a_shift_there_and_back_no_longer_cancels(symmetry: int) -> None:
    there = torch.roll(X, (2, 1), (2, 3))
    assert torch.equal(torch.roll(there, (-2, -1), (2, 3)), X)
    back = torch.roll(turn(there, symmetry), (-2, -1), (2, 3))
    assert not torch.equal(back, turn(X, symmetry))


def test_consistency_is_measured_on_the_turned_translation() -> None:
    stable = method(losses=LossSettings(equivariant=True))
    a, b = patches()
    net, n = stable.generator, draw(0, 5)
    with torch.no_grad():
        z_a, z_b = net.encode(a, "a"), net.encode(b, "b")
        z_b2 = net.encode(turn(net.decode(z_a, "b"), n), "b")
        z_a2 = net.encode(turn(net.decode(z_b, "a"), n), "a")
        back_a, back_b = net.decode(z_b2, "a"), net.decode(z_a2, "b")
        cycle = (back_a - turn(a, n)).abs().mean() + (back_b - turn(b, n)).abs().mean()
        info = (z_b2 - turn(z_a, n)).abs().mean() + (z_a2 - turn(z_b, n)).abs().mean()
    losses = stable.step(a, b, 5)
    assert float(losses["cycle"]) == pytest.approx(float(cycle), rel=1e-5)
    assert float(losses["information"]) == pytest.approx(float(info), rel=1e-5)
