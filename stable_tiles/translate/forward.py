"""Forward: a model on a device, one tile at a time.

This module alone knows devices and precision.  Several threads may call it.
Nothing it does depends on the number of workers: the same tile gives the same
bits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from threading import BoundedSemaphore, Event, local
from typing import Any

import torch
from torch import Tensor

from stable_tiles.model import Model
from stable_tiles.networks.moments import Moments
from stable_tiles.networks.statistics import Enough, Gather, Given, freeze, ruled
from stable_tiles.networks.translator import Translator, domains
from stable_tiles.region import Region
from stable_tiles.sections import Architecture
from stable_tiles.translate.job import Forward
from stable_tiles.translate.memory import Allowance, keep_freed_memory
from stable_tiles.translate.options import Direction

CPU_BUDGET_BYTES = 2816 * 2**20
"""Memory that activations of one forward pass may take on a CPU, whatever the machine."""

GPU_BUDGET_SHARE = 0.4
"""Share of a GPU's memory that activations of one forward pass may take."""

_LARGEST_ON_CPU = 2048**2
"""Pixels of the largest forward pass on a CPU: more costs memory and saves next to nothing."""

MOST_ELEMENTS = 2**31 - 1
"""Largest tensor that 32-bit kernels index."""


class Stopped(RuntimeError):
    """The network was told to stop."""


class _Spent(local):
    """Seconds that the calling thread has spent in the network."""

    seconds = 0.0


class TileNetwork:
    """One direction of a model, ready to translate tiles.

    Parameters
    ----------
    model : Model
        Its network is moved to the device and set to inference.
    direction : Direction
        From which domain to which.
    settings : Forward
        Device, precision and whether to compile.
    allowance : Allowance, optional
        Memory that this process may take; kept between layers.
    """

    def __init__(
        self,
        model: Model,
        direction: Direction,
        settings: Forward,
        allowance: Allowance | None = None,
    ) -> None:
        torch.backends.cudnn.benchmark = False
        if settings.device == "cpu":
            keep_freed_memory()
        self.direction, self.settings = direction, model.settings
        self.channels = model.target(direction).channels
        self.device = torch.device(settings.device)
        self._spent = _Spent()
        self._network = model.network.to(self.device).eval()
        if settings.frozen:
            freeze(self._network)
        self._bf16 = settings.precision == "bf16"
        # A GPU makes one tile at a time, while other threads prepare the next.
        self._admitted = BoundedSemaphore(settings.lanes if settings.device == "cpu" else 1)
        self._rule: Given | Gather | None = None
        self._stopped, self._allowance = Event(), allowance
        if not settings.compile:
            for layer in self._network.modules():
                layer.register_forward_pre_hook(self._before_layer)
        self._source, self._target = domains(direction)
        self._whole: Any = self._network.translate
        self._encode: Any = None
        self._decode: Any = None
        self.features, self._feature_scale = 0, 1
        if isinstance(self._network, Translator):
            self._encode, self._decode = self._network.encode, self._network.decode
            asked = self._network.settings
            self.features, self._feature_scale = asked.features, asked.feature_scale
        if settings.compile:
            self._whole, self._encode, self._decode = (
                part and torch.compile(part, dynamic=True)
                for part in (self._whole, self._encode, self._decode)
            )

    @property
    def seconds(self) -> float:
        """Seconds that the calling thread has spent in the network so far."""
        return self._spent.seconds

    def stop(self) -> None:
        """Let every forward pass, now or later, raise `Stopped` at its next layer."""
        self._stopped.set()

    def translate(self, planes: Tensor, area: Region) -> Tensor:
        """The planes (n, c, y, x) of one domain as planes of the other, network units, float32.

        `area` is the (y, x) box of the source plane that they are, here and below.
        """
        size = (planes.shape[2], planes.shape[3])
        with self._running(area):
            if self._encode is None:
                made = self._whole(planes.to(self.device), self.direction)
            else:
                features = self._encode(planes.to(self.device), self._source)
                made = self._decode(features, self._target, size)
            result: Tensor = made.float()
        return result

    def encode(self, planes: Tensor, area: Region) -> Tensor:
        """The feature maps (n, features, y, x), float32, of planes in network units."""
        with self._running(area):
            features: Tensor = self._encode(planes.to(self.device), self._source).float()
        return features

    def decode(self, features: Tensor, area: Region) -> Tensor:
        """The planes (n, c, y, x) of the target domain, float32, from feature maps."""
        with self._running(area):
            result: Tensor = self._decode(features.to(self.device), self._target).float()
        return result

    def translate_with_errors(self, planes: Tensor, area: Region) -> Tensor:
        """The translation, followed by two channels of how consistent it is at every pixel.

        Parameters
        ----------
        planes : Tensor, (n, c, y, x), float32
            Network units.
        area : Region
            The (y, x) box of the source plane that they are.

        Returns
        -------
        Tensor, (n, c + 2, y, x), float32
            What `translate` returns; then ``cycle``: mean over channels of
            |a'' - a|, where a'' is the translation translated back; then
            ``information``: mean over features of |E_b(b') - E_a(a)|, the
            feature maps of the translation and of the input.  Network units.
        """
        size = (planes.shape[2], planes.shape[3])
        with self._running(area):
            given = planes.to(self.device)
            features = self._encode(given, self._source)
            result = self._decode(features, self._target, size)
            again = self._encode(result, self._target)
            back = self._decode(again, self._source, size)
            cycle = (back.float() - given).abs().mean(dim=1, keepdim=True)
            lost = (again.float() - features.float()).abs().mean(dim=1, keepdim=True)
            if lost.shape[2:] != cycle.shape[2:]:
                scale = self._feature_scale
                lost = lost.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
            lost = lost[:, :, : size[0], : size[1]]
            return torch.cat([result.float(), cycle, lost], dim=1)

    def given(self, rule: Given | Gather) -> TileNetwork:
        """The same network, whose instance norms a rule normalises; for one lane only."""
        told = copy(self)
        told._rule = rule  # a copy, before anyone else sees it
        return told

    def gather(
        self,
        planes: Tensor,
        areas: tuple[Region, Region],
        known: Given,
        *,
        at_once: bool,
        errors: bool,
    ) -> dict[str, Moments]:
        """What a tile shows of norm layers whose statistics are not known.

        Parameters
        ----------
        planes : Tensor, (n, c, y, x), float32
            Network units.
        areas : tuple of Region
            The (y, x) box that they are, and the part of it that counts.
        known : Given
            Statistics of layers that are known.
        at_once : bool
            All layers, or only the next.
        errors : bool
            Whether the way back is passed too, as `translate_with_errors` does.
        """
        area, core = areas
        rule = Gather(known, core, at_once=at_once)
        told = self.given(rule)
        with suppress(Enough):
            (told.translate_with_errors if errors else told.translate)(planes, area)
        return rule.found

    @contextmanager
    def _running(self, area: Region) -> Iterator[None]:
        """One forward pass: a few at a time, without gradients, timed to its end."""
        precision: Any = nullcontext()
        rule: Any = nullcontext()
        if self._bf16:
            precision = torch.autocast(self.device.type, dtype=torch.bfloat16)
        if self._rule is not None:
            rule = ruled(self._network, self._rule, area, self._network.multiple)
        with self._admitted, torch.inference_mode(), precision, rule:
            began = time.perf_counter()
            yield
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self._spent.seconds += time.perf_counter() - began

    def _before_layer(self, *_: object) -> None:
        if self._stopped.is_set():
            raise Stopped("told to stop")
        if self._allowance is not None:
            self._allowance.keep()


def bytes_per_pixel(settings: Architecture) -> int:
    """Peak memory of a forward pass for each pixel of its tile, float32, bytes.

    What the allocator keeps besides is bounded by the same figure (`Allowance`).
    """
    return 4 * settings.live_values


def most_pixels(settings: Architecture, device: str) -> int:
    """Pixels that a forward pass may have at most, so that its memory stays bounded.

    On CPUs a constant, so that every machine and every number of workers cuts
    the same tiles; on a GPU a share of its memory.
    """
    most = MOST_ELEMENTS // settings.widest
    if device == "cuda":
        budget = GPU_BUDGET_SHARE * torch.cuda.get_device_properties(0).total_memory
        return min(int(budget / bytes_per_pixel(settings)), most)
    return min(int(CPU_BUDGET_BYTES / bytes_per_pixel(settings)), _LARGEST_ON_CPU, most)
