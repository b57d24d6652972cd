"""UTOM: cycle consistency, and masks of what is salient that translations keep.

Li et al., Unsupervised content-preserving transformation for optical
microscopy, Light: Science & Applications 2021.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from stable_tiles.methods.losses import distance
from stable_tiles.methods.method import Share, alone
from stable_tiles.methods.two_way import Images, TwoWay
from stable_tiles.settings import Settings

SHARPNESS = 100.0
"""Steepness of the mask's edge, per unit of intensity in -1..1."""


class Utom(TwoWay):
    """Two deep U-Nets; the saliency's weight falls from step to step."""

    def __init__(
        self,
        settings: Settings,
        channels_a: int,
        channels_b: int,
        device: torch.device,
        share: Share = alone,
    ) -> None:
        self.asked = settings.utom
        super().__init__(settings, (channels_a, channels_b), settings.utom, device, share)
        self.batch = settings.data.batch
        a_tenth = math.ceil(settings.training.steps * self.batch / 10)
        self.fades_over = settings.utom.saliency_images or a_tenth

    def further(self, images: Images, step: int) -> tuple[str, Tensor, float]:
        """Saliency: what stands out in an image stands out in its translation."""
        asked = self.asked
        masks_a, masks_b = (
            [saliency(x, threshold, objects) for x in pair]
            for pair, threshold, objects in (
                ((images.a, images.fake_a), asked.threshold_a, asked.objects_a),
                ((images.b, images.fake_b), asked.threshold_b, asked.objects_b),
            )
        )
        term = distance(masks_a[0], masks_b[1]) + distance(masks_a[1], masks_b[0])
        weight = asked.saliency * math.exp(-step * self.batch / self.fades_over)
        return "saliency", term, weight


def saliency(x: Tensor, threshold: float, objects: Literal["bright", "dark"]) -> Tensor:
    """``sigmoid(100 (m - tau))`` with the channels' mean m, or one less it for dark objects.

    Parameters
    ----------
    x : Tensor, (n, c, h, w)
        Images in -1..1.
    threshold : float
        Grey value of 0..255; ``tau = threshold / 127.5 - 1``.
    objects : "bright" or "dark"
        What is salient.

    Returns
    -------
    Tensor, (n, 1, h, w), float32, 0..1
    """
    tau = threshold / 127.5 - 1
    bright = torch.sigmoid(SHARPNESS * (x.float().mean(dim=1, keepdim=True) - tau))
    return bright if objects == "bright" else 1 - bright
