"""What holds for every rival: it learns, resumes with the same bits, and obeys its settings."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stable_tiles.errors import SettingsError
from stable_tiles.methods.choose import METHODS, create
from stable_tiles.settings import RIVALS
from tests.methods.small import SECTIONS, rival, settings


def scenery(seed: int, low: float, count: int = 4) -> Tensor:
    """Smooth patches (n, 1, 16, 16) between `low` and `low` + 0.4."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, 4, 4, generator=generator)
    return low + 0.4 * functional.interpolate(coarse, size=16, mode="bilinear")


LEARNS: dict[str, dict[str, Any]] = {
    "munit": {"network": {"width": 8, "blocks": 1, "hidden": 16}, "discriminator_scales": 1},
    "utom": {"objects_b": "bright", "threshold_a": 77, "threshold_b": 179},
}
"""What a rival needs to learn quickly, or at all: UTOM is told what is salient."""


def test_every_rival_of_the_settings_is_a_method() -> None:
    assert set(RIVALS) == set(SECTIONS) == set(METHODS) - {"stable", "support"}


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_learns_that_one_domain_is_brighter(name: str) -> None:
    """A spans 0.1 to 0.5, B 0.5 to 0.9; what is where shall stay."""
    steps = 200 if name == "munit" else 100
    changes = LEARNS.get(name, {})
    method = rival(name, training={"steps": steps}, learning_rate=2e-3, **changes)
    for step in range(steps):
        method.step(scenery(2 * step, 0.1), scenery(2 * step + 1, 0.5), step)
    method.network.settle([(scenery(7, 0.1), scenery(8, 0.5))])
    unseen = scenery(10**6, 0.1, 32)
    with torch.no_grad():
        made = method.network.eval().translate(unseen, "a2b")
    together = torch.stack([made.flatten(), unseen.flatten()])
    assert float(unseen.mean()) == pytest.approx(0.3, abs=0.02)
    assert float(made.mean()) == pytest.approx(0.7, abs=0.1)
    assert float(torch.corrcoef(together)[0, 1]) > 0.5


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_a_resumed_rival_has_the_same_bits(name: str, precision: str) -> None:
    training = {"precision": precision, "steps": 10}
    straight, first = rival(name, training=training), rival(name, training=training)
    patches = [(scenery(2 * i, 0.1, 2), scenery(2 * i + 1, 0.5, 2)) for i in range(5)]
    for step in range(5):
        wanted = straight.step(*patches[step], step)
    for step in range(3):
        first.step(*patches[step], step)
    kept = io.BytesIO()
    torch.save(first.state_dict(), kept)
    kept.seek(0)
    second = rival(name, training={**training, "seed": 1})
    second.training = first.training
    second.load_state_dict(torch.load(kept, weights_only=True))
    torch.rand(7)  # nobody else's draws matter
    for step in range(3, 5):
        losses = second.step(*patches[step], step)
    assert losses == wanted
    assert losses["total"].isfinite()
    assert not losses["total"].requires_grad
    for part, module in straight.trained.items():
        ours = second.trained[part].state_dict()
        assert all(torch.equal(ours[key], value) for key, value in module.state_dict().items())


@pytest.mark.parametrize("name", RIVALS)
def test_flat_patches_give_finite_losses_and_gradients(name: str) -> None:
    method = rival(name)
    for step in range(2):
        losses = method.step(torch.ones(2, 1, 16, 16), torch.ones(2, 1, 16, 16), step)
    assert all(loss.isfinite() for loss in losses.values())
    weights = [p for module in method.trained.values() for p in module.parameters()]
    assert all(bool(weight.isfinite().all()) for weight in weights)


@pytest.mark.parametrize("name", RIVALS)
def test_every_weight_learns_from_some_loss(name: str) -> None:
    method = rival(name)
    method.step(scenery(0, 0.1, 2), scenery(1, 0.5, 2), 0)
    for part, module in method.trained.items():
        idle = [key for key, p in module.named_parameters() if p.grad is None]
        assert not idle, f"{part} has weights that nothing trains"


@pytest.mark.parametrize("name", RIVALS)
def test_grey_and_colour_go_together(name: str) -> None:
    method = rival(name, (1, 3))
    losses = method.step(scenery(0, 0.1, 2), scenery(1, 0.5, 2).expand(-1, 3, -1, -1), 0)
    assert losses["total"].isfinite()
    with torch.no_grad():
        assert method.network.translate(torch.rand(1, 1, 33, 30), "a2b").shape == (1, 3, 33, 30)


@pytest.mark.parametrize("name", ["santa", "cut"])
def test_two_and_three_channels_cannot_share_a_network(name: str) -> None:
    with pytest.raises(SettingsError, match=r"share a network.*2 and 3 channels"):
        rival(name, (2, 3))


def test_a_batch_in_parts_has_the_losses_of_the_whole() -> None:
    whole, parts = (rival("cyclegan", training={"accumulate": count}, pool=0) for count in (1, 2))
    a, b = scenery(0, 0.1, 2), scenery(1, 0.5, 2)
    wanted, losses = whole.step(a, b, 0), parts.step(a, b, 0)
    for key, value in wanted.items():
        torch.testing.assert_close(losses[key], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "changes", "rates"),
    [
        ("cyclegan", {}, {0: 2e-4, 50: 2e-4, 75: 1e-4, 99: 4e-6}),
        ("munit", {"halve_every": 40}, {0: 1e-4, 39: 1e-4, 40: 5e-5, 80: 2.5e-5}),
        ("cut", {"decay_share": 0}, {0: 2e-4, 99: 2e-4}),
    ],
)
def test_rates_follow_the_published_schedules(
    name: str, changes: dict[str, Any], rates: dict[int, float]
) -> None:
    method = rival(name, training={"steps": 100}, **changes)
    for step, rate in rates.items():
        method.begin(step)
        for optimizer in method.optimizers.values():
            assert optimizer.param_groups[0]["lr"] == pytest.approx(rate)


def test_optimisers_are_adam_as_published() -> None:
    method = create(settings("munit", discriminator_layers=2), 1, 1, "cpu")
    for optimizer in method.optimizers.values():  # type: ignore[attr-defined]  # every method's
        assert type(optimizer) is torch.optim.Adam
        (group,) = optimizer.param_groups
        assert (group["betas"], group["weight_decay"]) == ((0.5, 0.999), 1e-4)


def test_rivals_are_not_compiled() -> None:
    with pytest.raises(SettingsError, match=r"training\.compile serves method stable alone"):
        rival("cut", training={"compile": True})


def test_statistics_are_measured_on_translations_alone() -> None:
    method = rival("cyclegan")
    method.step(scenery(0, 0.1, 2), scenery(1, 0.5, 2), 0)
    assert not method.network.holds_statistics
    method.network.settle([(scenery(0, 0.1, 2), scenery(1, 0.5, 2))])
    assert method.network.holds_statistics
    assert method.network.training
