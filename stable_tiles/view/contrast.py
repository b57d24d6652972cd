"""Contrast: the window in which a channel is shown before anyone has chosen one."""

from __future__ import annotations

import numpy as np

from stable_tiles.image.store import Image
from stable_tiles.region import Region

_PERCENTS = (0.1, 99.9)


def window(image: Image, channel: int) -> tuple[float, float]:
    """Contrast limits of a channel: the 0.1 and 99.9 percentiles.

    The store's own where it keeps them, else those of the coarsest level's
    middle plane; the upper limit is above the lower one.
    """
    stored = image.stored_percentiles(_PERCENTS)
    if stored is not None:
        low, high = stored[channel]
    else:
        t, _, z, y, x = image.levels[-1].shape
        middle = Region((t // 2, z // 2, 0, 0), (t // 2 + 1, z // 2 + 1, y, x))
        plane = image.read(middle, len(image.levels) - 1, [channel])
        low, high = np.nanpercentile(plane, _PERCENTS)
    return float(low), float(high if high > low else low + 1)
