"""Compare two images of one shape, streamed block by block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError
from stable_tiles.image.store import Image

_BLOCK_PIXELS = 2**22


def correlation(prediction: Image, reference: Image) -> list[float]:
    """Pearson's correlation of the pixels of each channel, over all planes.

    Sums are float64 and the memory is that of one block.

    Returns
    -------
    list of float
        In -1..1, one a channel; NaN where an image is constant.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise InputError(
            f"{prediction.name} has shape {prediction.shape} and {reference.name} "
            f"{reference.shape}: compare images of one shape"
        )
    count = prediction.shape[1]
    shift = np.array([prediction.percentiles((50,)), reference.percentiles((50,))])[:, :, 0]
    moments = np.zeros((count, 5))
    pixels = 0
    for region in reference.blocks(_BLOCK_PIXELS):
        pair = (prediction.read(region), reference.read(region))
        pixels += pair[0][:, 0].size
        for channel in range(count):
            x, y = (
                image[:, channel].astype(np.float64) - shift[side, channel]
                for side, image in enumerate(pair)
            )
            moments[channel] += (x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum())
    return [_pearson(row / pixels) for row in moments]


def _pearson(means: npt.NDArray[np.float64]) -> float:
    x, y, xx, yy, xy = means
    spread = (xx - x * x) * (yy - y * y)
    return float((xy - x * y) / np.sqrt(spread)) if spread > 0 else float("nan")
