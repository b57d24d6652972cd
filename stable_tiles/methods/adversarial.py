"""Adversarial: what a step of every method has in common; only losses differ.

Generators and discriminators are differentiated at the weights that the step
began with, then all are moved.  Gradients of parts of a batch add up, and are
averaged over the processes that train together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stable_tiles.methods.method import Share, alone
from stable_tiles.networks.network import Network
from stable_tiles.settings import TrainingSettings


class Adversarial(ABC):
    """Networks that play against each other, each with an optimiser of its own.

    Parameters
    ----------
    trained : mapping of str to Module
        All networks that learn, on the device; their names are those of the
        state and of `optimizers`.
    optimizers : mapping of str to Optimizer
        One for each of them.
    training : TrainingSettings
        The loop's settings: precision, parts of a batch, seed.
    device : torch.device
        Where everything lives.
    share : Share
        Averages gradients over the processes that train together.
    """

    def __init__(
        self,
        trained: Mapping[str, nn.Module],
        optimizers: Mapping[str, Optimizer],
        training: TrainingSettings,
        device: torch.device,
        share: Share = alone,
    ) -> None:
        self.trained, self.optimizers = dict(trained), dict(optimizers)
        self.training, self.device = training, device
        self._share = share

    @property
    @abstractmethod
    def network(self) -> Network:
        """The network that translates."""

    @abstractmethod
    def rate(self, name: str, step: int) -> float:
        """The learning rate of a network at a step."""

    @abstractmethod
    def differentiate(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """Add the gradients of some patches to all weights; returns their losses, detached."""

    @property
    def statistics(self) -> list[Tensor]:
        """Running statistics of norms, which processes that train together average."""
        return [
            statistic
            for network in self.trained.values()
            for layer in network.modules()
            if isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d)
            for statistic in (layer.running_mean, layer.running_var)
            if statistic is not None
        ]

    def step(self, a: Tensor, b: Tensor, step: int) -> dict[str, Tensor]:
        """One step of every network; see `Method.step`."""
        for module in self.trained.values():
            if not module.training:
                module.train()
        self.begin(step)
        parts = self.training.accumulate
        pairs = zip(a.chunk(parts), b.chunk(parts), strict=True)
        found = [self.differentiate(part_a, part_b, step) for part_a, part_b in pairs]
        waits = [self._share(_gradients(optimizer)) for optimizer in self.optimizers.values()]
        for wait, optimizer in zip(waits, self.optimizers.values(), strict=True):
            wait()
            optimizer.step()
        if parts == 1:
            return found[0]
        return {name: torch.stack([losses[name] for losses in found]).mean() for name in found[0]}

    def begin(self, step: int) -> None:
        """Set the rates of a step and forget the gradients of the one before."""
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.rate(name, step)
            optimizer.zero_grad(set_to_none=True)

    def backward(self, loss: Tensor, names: Iterable[str], *, retain_graph: bool = False) -> None:
        """Add a loss's gradients to the weights of these networks and of no other."""
        weights = [p for name in names for p in _parameters(self.optimizers[name])]
        loss = loss / self.training.accumulate
        torch.autograd.backward(loss, inputs=weights, retain_graph=retain_graph or None)

    def precision(self) -> torch.autocast:
        """The context in which networks are called."""
        wanted = self.training.precision
        on_gpu = self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        bf16 = wanted == "bf16" or (wanted == "auto" and on_gpu)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimisers, as tensors, numbers and names."""
        state: dict[str, Any] = {name: module.state_dict() for name, module in self.trained.items()}
        state["optimizers"] = {name: o.state_dict() for name, o in self.optimizers.items()}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of `state_dict`, with the same bits."""
        for name, module in self.trained.items():
            module.load_state_dict(state[name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    groups: Iterable[dict[str, Any]] = optimizer.param_groups
    return [parameter for group in groups for parameter in group["params"]]


def _gradients(optimizer: Optimizer) -> list[Tensor]:
    return [p.grad for p in _parameters(optimizer) if p.grad is not None]
