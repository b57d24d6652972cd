"""The thresholds that UTOM has to be told: where objects part from their ground, by Otsu."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from skimage.filters import threshold_otsu

from stable_tiles.evaluate.views import view
from stable_tiles.image.store import open_image
from stable_tiles.settings import Normalization

IMAGES = 4
"""How many of a domain's images are looked at, evenly spread."""


def threshold(paths: Sequence[Path], normalize: Normalization) -> float:
    """The grey value that parts the pixels of a domain in two.

    Parameters
    ----------
    paths : sequence of Path
        Its training images.
    normalize : Normalization
        What becomes 0 and 1.

    Returns
    -------
    float
        In 0..255; the middle where all pixels are alike.

    Notes
    -----
    Otsu's method (1979) on the mean of the channels, of the middle frame and
    section of each image, at the finest level that can be shown whole.
    """
    chosen = np.unique(np.linspace(0, len(paths) - 1, IMAGES).astype(int))
    seen = []
    for index in chosen:
        image = open_image(paths[index])
        plane = view(image, [image.shape[0] // 2], image.shape[2] // 2)
        units = image.normalizer(normalize).normalize(plane[None])[0]
        seen.append(np.clip(np.nan_to_num(units.mean(axis=0)), 0, 1).ravel())
    pixels = np.concatenate(seen)
    if pixels.min() == pixels.max():
        return 127.5
    found = threshold_otsu(pixels)  # type: ignore[no-untyped-call]  # scikit-image
    return 255 * float(found)
