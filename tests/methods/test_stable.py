from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stable_tiles.methods.losses import StopGradient, information
from stable_tiles.methods.stable import Stable
from stable_tiles.settings import (
    DataSettings,
    DiscriminatorSettings,
    LossSettings,
    NetworkSettings,
    Settings,
    TrainingSettings,
)
from tests.networks.nets import images

CPU = torch.device("cpu")


def method(channels: tuple[int, int] = (1, 1), **sections: Any) -> Stable:
    torch.manual_seed(0)
    tree: dict[str, Any] = {
        "network": NetworkSettings(widths=(4, 8), features=2, norm="none"),
        "discriminator": DiscriminatorSettings(widths=(4, 8), norm="none"),
        **sections,
    }
    return Stable(Settings(**tree), *channels, CPU)


def patches(channels: tuple[int, int] = (1, 1), seed: int = 0) -> tuple[Tensor, Tensor]:
    return images(2, channels[0], 16, 16, seed), images(2, channels[1], 16, 16, seed + 100)


def test_losses_are_those_of_the_formulas() -> None:
    weights = LossSettings(adversarial=2, information=3, cycle=5, cycle_growth_steps=10)
    stable = method((1, 3), losses=weights)
    a, b = patches((1, 3))
    net, judge_a, judge_b = stable.generator, stable.critic_a, stable.critic_b
    with torch.no_grad():
        z_a, z_b = net.encode(a, "a"), net.encode(b, "b")
        fake_b, fake_a = net.decode(z_a, "b"), net.decode(z_b, "a")
        z_b2, z_a2 = net.encode(fake_b, "b"), net.encode(fake_a, "a")
        back_a, back_b = net.decode(z_b2, "a"), net.decode(z_a2, "b")
        q_a, q_b, q_fake_a, q_fake_b = (
            judge(x)[0]
            for judge, x in ((judge_a, a), (judge_b, b), (judge_a, fake_a), (judge_b, fake_b))
        )
        adversarial = ((q_fake_a - 1) ** 2).mean() + ((q_fake_b - 1) ** 2).mean()
        cycle = (back_a - a).abs().mean() + (back_b - b).abs().mean()
        info = (z_b2 - z_a).abs().mean() + (z_a2 - z_b).abs().mean()
        wanted = {
            "adversarial": adversarial,
            "information": info,
            "cycle": cycle,
            "total": 2 * adversarial + 3 * info + 5 * 0.5 * cycle,
            "discriminator_a": ((q_a - 1) ** 2).mean() + (q_fake_a**2).mean(),
            "discriminator_b": ((q_b - 1) ** 2).mean() + (q_fake_b**2).mean(),
        }
    losses = stable.step(a, b, 5)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value, atol=1e-5, rtol=1e-4)
        assert not losses[name].requires_grad


def test_discriminators_learn_from_real_and_fake_patches() -> None:
    sections: dict[str, Any] = {"training": TrainingSettings(learning_rate=1e-30)}
    stable, same = method(**sections), method(**sections)
    a, b = patches()
    stable.step(a, b, 0)
    with torch.no_grad():
        fake = same.generator.decode(same.generator.encode(b, "b"), "a")
    loss = (same.critic_a(a)[0] - 1).square().mean() + same.critic_a(fake)[0].square().mean()
    torch.autograd.backward(loss)
    for mine, wanted in zip(stable.critic_a.parameters(), same.critic_a.parameters(), strict=True):
        assert mine.grad is not None
        assert wanted.grad is not None
        torch.testing.assert_close(mine.grad, wanted.grad, atol=1e-6, rtol=1e-3)


def learns(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


@pytest.mark.parametrize(
    ("stop", "term", "trained"),
    [
        ("official", 1, {"encoder_a", "decoder_b", "encoder_b"}),
        ("official", 2, {"encoder_b"}),
        ("symmetric", 1, {"encoder_a", "decoder_b", "encoder_b"}),
        ("symmetric", 2, {"encoder_b", "decoder_a", "encoder_a"}),
        ("none", 1, {"encoder_a", "decoder_b", "encoder_b"}),
        ("none", 2, {"encoder_b", "decoder_a", "encoder_a"}),
    ],
)
def test_information_trains_the_networks_that_it_should(
    stop: StopGradient, term: int, trained: set[str]
) -> None:
    net = method().generator
    a, b = patches()
    z_a, z_b = net.encode(a, "a"), net.encode(b, "b")
    of_a = (z_a, net.encode(net.decode(z_a, "b"), "b"))
    of_b = (z_b, net.encode(net.decode(z_b, "a"), "a"))
    nothing = (torch.zeros(1), torch.zeros(1))
    pairs = (of_a, nothing) if term == 1 else (nothing, of_b)
    torch.autograd.backward(information(*pairs, stop))
    assert {name for name, part in net.named_children() if learns(part)} == trained


@pytest.mark.parametrize("norm", ["none", "batch", "instance"])
@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_a_resumed_training_has_the_same_bits(norm: str, precision: str) -> None:
    sections: dict[str, Any] = {
        "network": NetworkSettings.model_validate({"widths": (4, 8), "features": 2, "norm": norm}),
        "training": TrainingSettings(precision="bf16" if precision == "bf16" else "32"),
    }
    straight, first = method(**sections), method(**sections)
    for step in range(4):
        straight.step(*patches(seed=step), step)
    for step in range(2):
        first.step(*patches(seed=step), step)
    kept = io.BytesIO()
    torch.save(first.state_dict(), kept)
    kept.seek(0)
    second = method(**sections)
    second.step(*patches(seed=9), 0)
    second.load_state_dict(torch.load(kept, weights_only=True))
    for step in range(2, 4):
        losses = second.step(*patches(seed=step), step)
    assert losses["total"].isfinite()
    for mine, wanted in zip(
        (second.generator, second.critic_a, second.critic_b),
        (straight.generator, straight.critic_a, straight.critic_b),
        strict=True,
    ):
        ours = mine.state_dict()
        assert all(torch.equal(ours[name], v) for name, v in wanted.state_dict().items())


def test_bf16_stays_close_to_float32() -> None:
    a, b = patches()
    exact = method(training=TrainingSettings(precision="32")).step(a, b, 0)
    rough = method(training=TrainingSettings(precision="bf16")).step(a, b, 0)
    for name, loss in exact.items():
        assert loss.dtype == rough[name].dtype == torch.float32
        torch.testing.assert_close(loss, rough[name], atol=0.02, rtol=0.05)


def test_steps_make_the_total_smaller() -> None:
    stable = method(
        losses=LossSettings(adversarial=0, information=1, cycle=10),
        training=TrainingSettings(learning_rate=3e-3),
    )
    a, b = patches()
    totals = [float(stable.step(a, b, step)["total"]) for step in range(40)]
    assert totals[-1] < 0.6 * totals[0]


def test_settings_reach_the_optimisers() -> None:
    training = TrainingSettings(learning_rate=0.1, weight_decay=0.2, betas=(0.3, 0.4))
    for optimizer in method(training=training).optimizers.values():
        assert isinstance(optimizer, torch.optim.AdamW)
        (group,) = optimizer.param_groups
        assert (group["lr"], group["weight_decay"], group["betas"]) == (0.1, 0.2, (0.3, 0.4))


def test_a_step_returns_to_training_mode() -> None:
    stable = method()
    stable.network.eval()
    stable.step(*patches(), 0)
    assert stable.network.training


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_gives_the_gradients_and_losses_of_the_whole(parts: int) -> None:
    a, b = images(4, 1, 16, 16, 0), images(4, 1, 16, 16, 100)
    whole, divided = (
        method(
            data=DataSettings(patch=16, batch=4),
            losses=LossSettings(equivariant=True),
            training=TrainingSettings(accumulate=count),
        )
        for count in (1, parts)
    )
    wanted, losses = whole.step(a, b, 3), divided.step(a, b, 3)
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value, atol=1e-6, rtol=1e-5)
    for mine, theirs in zip(weights(divided), weights(whole), strict=True):
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-6, rtol=1e-4)


def weights(stable: Stable) -> list[nn.Parameter]:
    networks = (stable.generator, stable.critic_a, stable.critic_b)
    return [weight for network in networks for weight in network.parameters()]


def test_cycles_that_share_calls_learn_the_same_as_cycles_apart() -> None:
    """Without norms networks are called once for both cycles where they can be."""
    together, apart = (method(losses=LossSettings(equivariant=True)) for _ in range(2))
    # the layers stay without norms; only the order of the calls is that of networks with norms
    apart.generator.settings = apart.generator.settings.model_copy(update={"norm": "batch"})
    a, b = patches()
    wanted, losses = apart.step(a, b, 3), together.step(a, b, 3)
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value, atol=1e-6, rtol=1e-5)
    for mine, theirs in zip(weights(together), weights(apart), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-6, rtol=1e-4)


def test_each_network_learns_from_its_own_loss_alone() -> None:
    judged = method(losses=LossSettings(adversarial=0, information=0, cycle=0))
    judged.step(*patches(), 0)
    assert not learns(judged.generator)
    assert learns(judged.critic_a)
    assert learns(judged.critic_b)


def test_rates_fall_linearly_over_the_last_steps_and_are_a_function_of_the_step() -> None:
    training = TrainingSettings(
        steps=8, decay_steps=4, learning_rate=0.4, discriminator_learning_rate=0.8
    )
    stable = method(training=training)
    for step, rate in ((7, 0.1), (0, 0.4), (4, 0.4), (5, 0.3)):
        stable.step(*patches(), step)
        (of_generator,) = stable.optimizers["generator"].param_groups
        (of_critic,) = stable.optimizers["discriminator_a"].param_groups
        assert of_generator["lr"] == pytest.approx(rate)
        assert of_critic["lr"] == pytest.approx(2 * rate)


def test_every_networks_gradients_are_shared_before_its_weights_move() -> None:
    begun: list[int] = []

    def share(gradients: list[Tensor]) -> Callable[[], None]:
        begun.append(len(gradients))

        def wait() -> None:
            for gradient in gradients:
                gradient.zero_()

        return wait

    torch.manual_seed(0)
    settings = Settings(
        network=NetworkSettings(widths=(4, 8), features=2, norm="none"),
        discriminator=DiscriminatorSettings(widths=(4, 8), norm="none"),
    )
    stable = Stable(settings, 1, 1, CPU, share)
    before = [weight.detach().clone() for weight in weights(stable)]
    stable.step(*patches(), 0)
    assert sum(begun) == len(before)
    assert all(map(torch.equal, before, weights(stable))), "zero gradients move nothing"


@pytest.mark.parametrize(("norm", "count"), [("none", 0), ("batch", 2), ("instance", 2)])
def test_statistics_are_the_running_ones_of_every_norm(norm: str, count: int) -> None:
    network = NetworkSettings.model_validate({"widths": (4, 8), "features": 2, "norm": norm})
    stable = method(network=network)
    before = [statistic.clone() for statistic in stable.statistics]
    stable.step(*patches(), 0)
    blocks = 3 * 2 * 4  # of two convolutions, in four networks
    assert len(before) == count * blocks
    assert not any(map(torch.equal, before, stable.statistics))
