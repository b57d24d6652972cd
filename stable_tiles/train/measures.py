"""Measures of translations that tell an inverted or an empty one from a good one."""

from __future__ import annotations

import torch
from torch import Tensor

from stable_tiles.train.preview import Translates, middle


@torch.no_grad()
def measure(network: Translates, patches: tuple[Tensor, Tensor]) -> dict[str, dict[str, float]]:
    """What translations of some patches have in common with their inputs and targets.

    Parameters
    ----------
    network : Translates
        In evaluation mode.
    patches : pair of tensors, float32 (n, c, y, x)
        Patches of A and of B in network units; of movies, (n, t, c, y, x), the middle counts.

    Returns
    -------
    dict
        By direction that the network has: ``correlation`` of translation and input (Pearson, over
        all pixels, channels averaged; 0 where either is constant),
        ``contrast`` of the translation relative to the target domain's
        (standard deviations), ``skew_input`` and ``skew_target``: the
        skewness of the pixels, positive where few are bright.
    """
    a, b = patches
    ends = {"a2b": (a, b), "b2a": (b, a)}
    return {
        way: _compare(ends[way][0], network.translate(ends[way][0], way), ends[way][1])
        for way in network.directions
    }


def _compare(x: Tensor, translated: Tensor, target: Tensor) -> dict[str, float]:
    x, target = middle(x), middle(target)
    seen, _ = _standardized(x)
    made, contrast = _standardized(translated)
    wanted, wanted_spread = _standardized(target)
    return {
        "correlation": float((seen * made).mean()),
        "contrast": contrast / wanted_spread if wanted_spread else 0.0,
        "skew_input": float(seen.pow(3).mean()),
        "skew_target": float(wanted.pow(3).mean()),
    }


def _standardized(images: Tensor) -> tuple[Tensor, float]:
    """Pixels less their mean, by their standard deviation (0 if constant), and that."""
    gray = images.double().mean(dim=1).flatten()
    centred = gray - gray.mean()
    spread = float(centred.square().mean().sqrt())
    return (centred / spread if spread else centred), spread
