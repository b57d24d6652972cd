"""Loss terms, each a formula of tensors: least-squares GAN, L1 consistency, growth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

StopGradient = Literal["official", "symmetric", "none"]


def least_squares(verdicts: Sequence[Tensor], wanted: float) -> Tensor:
    """``mean((q - wanted)^2)``, summed over the discriminator's scales (LSGAN)."""
    terms = [(verdict.float() - wanted).square().mean() for verdict in verdicts]
    return torch.stack(terms).sum() if len(terms) > 1 else terms[0]


def distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference in float32."""
    return (x.float() - y.float()).abs().mean()


def information(
    of_a: tuple[Tensor, Tensor], of_b: tuple[Tensor, Tensor], stop: StopGradient
) -> Tensor:
    """How far feature maps are from those of their translations.

    Parameters
    ----------
    of_a : (Tensor, Tensor)
        ``z_a = E_A(a)`` and ``z_b' = E_B(D_B(z_a))``.
    of_b : (Tensor, Tensor)
        ``z_b = E_B(b)`` and ``z_a' = E_A(D_A(z_b))``.
    stop : "official", "symmetric" or "none"
        Which maps count as constants: ``official`` ``z_a`` and ``z_a'``, so the
        second term trains E_B alone; ``symmetric`` ``z_a`` and ``z_b``;
        ``none`` no map.
    """
    feature_a, again_a = of_a
    feature_b, again_b = of_b
    if stop == "official":
        feature_a, again_b = feature_a.detach(), again_b.detach()
    elif stop == "symmetric":
        feature_a, feature_b = feature_a.detach(), feature_b.detach()
    return distance(again_a, feature_a) + distance(again_b, feature_b)


def growth(step: int, over: int | None) -> float:
    """Share of the cycle's weight at a step: ``sigmoid(12 t / T - 6)`` before T, then 1."""
    if over is None or step >= over:
        return 1.0
    return 1.0 / (1.0 + math.exp(6.0 - 12.0 * step / over))


def decay(step: int, steps: int, over: int | None) -> float:
    """Share of the learning rate at a step (from 0): 1, then linearly down over the last steps.

    ``(steps - step) / over`` in the last `over` steps: the last step of all has
    ``1 / over``.  A rate that falls to nothing ends the seesaw of a GAN.
    """
    return 1.0 if over is None else min(1.0, (steps - step) / over)
