"""A training step: streamed against one batch in memory, and against plain PyTorch.

    python benchmarks/train_step.py --config smoke --steps 20
    python benchmarks/train_step.py --config mri --steps 3

Prints one JSON document.  `streaming`: steps a second of the whole loop
(``stable_tiles.train.run.train`` on stores of noise, written first; start-up
and the end left out) over those of the same step on one batch in memory.
`plain`: seconds of a step of `Reference`, below, over those of ours, in
float32 and in bf16; the three take turns, step by step, so that a busy
machine slows all alike, and the median of the ratios is given.

`Reference` is the step that a competent user writes from the paper: float32,
demodulated convolutions through ``F.conv2d``, dynamic upsampling through
``F.grid_sample``, every network called when its result is needed, the
discriminators judging fakes once for the generator and again for themselves,
AdamW as it comes.  Both run with the information loss's symmetric stop-gradient.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch user writes
from torch import Tensor, nn

from stable_tiles.axes import Axes
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import create_store
from stable_tiles.methods.choose import create
from stable_tiles.settings import Settings, load_settings
from stable_tiles.train.run import TrainOptions, train


class Demodulated(nn.Conv2d):
    """A convolution whose filters are divided by their norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in, h, w)."""
        norm = torch.rsqrt(self.weight.pow(2).sum([1, 2, 3], keepdim=True) + 1e-8)
        return F.conv2d(x, self.weight * norm, padding=1)


class Upsample(nn.Module):
    """Dynamic upsampling by two, style "lp", four groups."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.offset = nn.Conv2d(channels, 32, 1)
        nn.init.normal_(self.offset.weight, std=0.001)
        nn.init.zeros_(self.offset.bias)
        sides = torch.tensor([-0.25, 0.25])
        start = torch.stack(torch.meshgrid(sides, sides, indexing="xy"))
        self.register_buffer("start", start.repeat(1, 4, 1).reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Upsample (n, c, h, w)."""
        n, _, h, w = x.shape
        offset = (self.offset(x) * 0.25 + self.start).view(n, 2, -1, h, w)
        x_at = torch.arange(w, device=x.device) + 0.5
        y_at = torch.arange(h, device=x.device) + 0.5
        at = torch.stack(torch.meshgrid(x_at, y_at, indexing="ij")).transpose(1, 2)
        size = torch.tensor([w, h], device=x.device).view(1, 2, 1, 1, 1)
        grid = 2 * (at[None, :, None] + offset) / size - 1
        grid = F.pixel_shuffle(grid.view(n, -1, h, w), 2).view(n, 2, -1, 2 * h, 2 * w)
        grid = grid.permute(0, 2, 3, 4, 1).contiguous().flatten(0, 1)
        groups = x.reshape(n * 4, -1, h, w)
        sampled = F.grid_sample(groups, grid, align_corners=False, padding_mode="border")
        return sampled.view(n, -1, 2 * h, 2 * w)


def block(first: int, middle: int, last: int, norm: str) -> nn.Sequential:
    """Twice: convolution, norm, ReLU."""
    layers: list[nn.Module] = []
    for inner, outer in ((first, middle), (middle, last)):
        convolution = Demodulated(inner, outer, 3, padding=1, bias=False)
        nn.init.normal_(convolution.weight)
        layers.append(convolution)
        if norm == "batch":
            layers.append(nn.BatchNorm2d(outer))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """The U-Net of encoders and decoders."""

    def __init__(self, channels_in: int, channels_out: int, settings: Settings) -> None:
        super().__init__()
        widths, norm = settings.network.widths, settings.network.norm
        self.first = block(channels_in, widths[0], widths[0], norm)
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for above, below in pairwise(widths):
            self.downs.append(block(above, below, below, norm))
        for above, below in reversed(list(pairwise(widths))):
            joined = above + below // 2
            narrow = nn.Conv2d(below, below // 2, 3, padding=1, bias=False)
            up = [Upsample(below), narrow, block(joined, joined // 2, above, norm)]
            self.ups.append(nn.ModuleList(up))
        self.head = nn.Sequential(
            nn.Conv2d(widths[0], widths[0], 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(widths[0], channels_out, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels_in, h, w) to (n, channels_out, h, w)."""
        skips = [self.first(x)]
        for down in self.downs:
            skips.append(down(F.max_pool2d(skips[-1], 2)))
        x = skips.pop()
        for upsample, narrow, joined in self.ups:
            x = joined(torch.cat([skips.pop(), narrow(upsample(x))], dim=1))
        return self.head(x)


def critic(channels: int, settings: Settings) -> nn.Sequential:
    """The patch discriminator."""
    layers: list[nn.Module] = []
    for number, width in enumerate(settings.discriminator.widths):
        layers.append(nn.Conv2d(channels, width, 4, stride=2, padding=1))
        if number and settings.discriminator.norm == "batch":
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.LeakyReLU(0.2))
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1))


class Reference:
    """Two encoders, two decoders, two discriminators, three optimisers."""

    def __init__(self, settings: Settings, device: torch.device) -> None:
        self.settings = settings
        features = settings.network.features
        self.encoder_a = UNet(1, features, settings).to(device)
        self.encoder_b = UNet(1, features, settings).to(device)
        self.decoder_a = UNet(features, 1, settings).to(device)
        self.decoder_b = UNet(features, 1, settings).to(device)
        self.critic_a = critic(1, settings).to(device)
        self.critic_b = critic(1, settings).to(device)
        generators = (self.encoder_a, self.encoder_b, self.decoder_a, self.decoder_b)
        weights = chain.from_iterable(network.parameters() for network in generators)
        t = settings.training
        self.of_generators = torch.optim.AdamW(weights, t.learning_rate, t.betas)
        self.of_a = torch.optim.AdamW(self.critic_a.parameters(), t.learning_rate, t.betas)
        self.of_b = torch.optim.AdamW(self.critic_b.parameters(), t.learning_rate, t.betas)

    def step(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """One step of all networks; the losses."""
        mse, l1, weights = F.mse_loss, F.l1_loss, self.settings.losses
        feature_a, feature_b = self.encoder_a(a), self.encoder_b(b)
        fake_b, fake_a = self.decoder_b(feature_a), self.decoder_a(feature_b)
        again_a, again_b = self.encoder_b(fake_b), self.encoder_a(fake_a)
        back_a, back_b = self.decoder_a(again_a), self.decoder_b(again_b)
        on_a, on_b = self.critic_a(fake_a), self.critic_b(fake_b)
        adversarial = mse(on_a, torch.ones_like(on_a)) + mse(on_b, torch.ones_like(on_b))
        cycle = l1(back_a, a) + l1(back_b, b)
        information = l1(again_a, feature_a.detach()) + l1(again_b, feature_b.detach())
        total = (
            weights.adversarial * adversarial
            + weights.information * information
            + weights.cycle * cycle
        )
        self.of_generators.zero_grad()
        total.backward()
        self.of_generators.step()
        losses = {"total": total}
        for name, judge, optimizer, real, fake in (
            ("discriminator_a", self.critic_a, self.of_a, a, fake_a),
            ("discriminator_b", self.critic_b, self.of_b, b, fake_b),
        ):
            optimizer.zero_grad()
            on_real, on_fake = judge(real), judge(fake.detach())
            loss = mse(on_real, torch.ones_like(on_real)) + mse(on_fake, torch.zeros_like(on_fake))
            loss.backward()
            optimizer.step()
            losses[name] = loss
        return losses


def seconds(step: Callable[[], object]) -> float:
    """Of one step."""
    began = time.perf_counter()
    step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def against_plain(settings: Settings, device: torch.device, steps: int) -> dict[str, object]:
    """Seconds of each kind of step, and how many of ours fit into one of the reference."""
    torch.manual_seed(0)
    a, b = (batch_of_noise(settings, device) for _ in range(2))
    ours = {
        precision: create(with_precision(settings, precision), 1, 1, device)
        for precision in ("32", "bf16")
    }
    reference = Reference(settings, device)
    taken: dict[str, list[float]] = {"plain": [], "32": [], "bf16": []}
    for number in range(steps + 2):
        found = {"plain": seconds(lambda: reference.step(a, b))}
        for name, method in ours.items():
            found[name] = seconds(lambda m=method, n=number: m.step(a, b, n))
        if number >= 2:  # the first two warm up
            for name, value in found.items():
                taken[name].append(value)
    ratios = {
        name: statistics.median(p / q for p, q in zip(taken["plain"], taken[name], strict=True))
        for name in ours
    }
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {"seconds": medians, "times_as_fast": ratios}


def against_memory(settings: Settings, steps: int) -> dict[str, float]:
    """Steps a second of the loop on stores, and of the same step on one batch.

    A step on one batch is taken after each step of the loop, so that both
    take turns; patches are read in the step that needs them (no loader
    threads), so that nothing is hidden in the other's time.
    """
    never = {"log_every": 10**6, "preview_every": 10**6, "checkpoint_every": 10**6}
    training = settings.training.model_copy(update={**never, "steps": steps + 3})
    data = settings.data.model_copy(update={"workers": 0})
    settings = settings.model_copy(update={"training": training, "data": data})
    settings = with_precision(settings, "32")  # in both, whatever the config says
    device = torch.device("cpu")
    method = create(settings, 1, 1, device)
    a, b = (batch_of_noise(settings, device) for _ in range(2))
    streamed: list[float] = []
    memory: list[float] = []
    began = [time.perf_counter()]

    def take_turns(what: str, done: int, total: int) -> None:
        streamed.append(time.perf_counter() - began[0])
        memory.append(seconds(lambda: method.step(a, b, done)))
        began[0] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        stores = [Path(folder) / f"{name}.zarr" for name in "ab"]
        for number, store in enumerate(stores):
            write_noise(store, max(2048, 4 * settings.data.patch), number)
        options = TrainOptions(device="cpu")
        train(settings, stores[:1], stores[1:], Path(folder) / "run", options, take_turns)
    # the first two steps warm up; the last one also previews and saves
    ours, theirs = statistics.mean(streamed[2:-1]), statistics.mean(memory[2:-1])
    return {"streamed": 1 / ours, "memory": 1 / theirs, "ratio": theirs / ours}


def batch_of_noise(settings: Settings, device: torch.device) -> Tensor:
    """Patches (n, 1, y, x) of uniform noise."""
    side = settings.data.patch
    return torch.rand(settings.data.batch, 1, side, side, device=device)


def with_precision(settings: Settings, precision: str) -> Settings:
    """The settings with another precision."""
    training = settings.training.model_copy(update={"precision": precision})
    return settings.model_copy(update={"training": training})


def write_noise(path: Path, size: int, seed: int) -> None:
    """A store of uint8 noise, a plane of `size` x `size`."""
    layout = plan_layout((1, 1, 1, size, size), 1)
    spec = ImageSpec(Axes.named("yx"), layout, "uint8", (Channel("gray"),))
    writer = create_store(path, spec, {})
    rng = np.random.default_rng(seed)
    for region in layout.regions():
        t, z, y, x = region.shape
        writer.write(region, rng.integers(0, 256, (t, 1, z, y, x), np.uint8))
    writer.seal(path, {"kind": "source"})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="smoke")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", choices=["streaming", "plain"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    same = ["losses.equivariant=false", "losses.stop_gradient=symmetric"]
    settings = load_settings(arguments.config, [*same, *arguments.set])
    found: dict[str, object] = {
        "config": arguments.config,
        "set": arguments.set,
        "device": arguments.device,
        "threads": arguments.threads,
        "torch": torch.__version__,
    }
    if arguments.only != "streaming":
        found["plain"] = against_plain(settings, torch.device(arguments.device), arguments.steps)
    if arguments.only != "plain" and arguments.device == "cpu":
        found["streaming"] = against_memory(settings, arguments.steps)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
