"""Symmetries of the square: the turns and mirrors that keep a pixel grid.

A translator that shifts everything by two pixels, and its partner that shifts
it back, satisfy every consistency loss.  Turning the translation before it is
translated back breaks that conspiracy: the shifts no longer cancel.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

COUNT = 8
"""Symmetries of the square; number 0 changes nothing."""


def draw(seed: int, step: int) -> int:
    """The symmetry (1 to 7) of a training step: a function of its arguments alone."""
    return int(np.random.default_rng((seed, step)).integers(1, COUNT))


def turn(x: Tensor, symmetry: int) -> Tensor:
    """Square maps (n, c, s, s) turned by ``symmetry % 4`` right angles, mirrored from 4 on."""
    turned = torch.rot90(x, symmetry % 4, (2, 3))
    return turned.flip(3) if symmetry >= COUNT // 2 else turned
