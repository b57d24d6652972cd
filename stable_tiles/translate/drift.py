"""Drift: how far the frames of a movie move, found on a few means of frames at a coarse level."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import atanh, hypot, pi, sqrt

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, shift
from skimage.registration import phase_cross_correlation

from stable_tiles.image.store import Image
from stable_tiles.region import Region

MOVES = 1.0
"""Pixels of drift from which on a movie is said to move."""

MOMENTS = 16
"""Moments of a movie, evenly spread, that are compared with the one in its middle."""

AVERAGED = 16
"""Frames of a moment at most, one behind the other, whose mean is compared."""

COARSE = 512
"""Most pixels along a side of the level that is looked at, where the store has it."""

_FINENESS = 20
"""Parts of a pixel of that level that a movement is told in."""

_CERTAIN = 6.0
"""Standard errors that the correlation of frames moved back must lie above that of noise."""

_BETTER = 3.0
"""And above that of the frames as they are."""

_SMOOTHING = 1.5
"""Standard deviation of a Gaussian against the noise of pixels, pixels of that level."""

_MOST = 1 - 1e-12
"""Correlations above are as good as 1, whose transformation is infinite."""

Plane = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """The largest movement that was found.

    Parameters
    ----------
    pixels : float
        Its length, pixels of level 0.
    frame, against : int
        First frames of the two moments that differ by it.
    """

    pixels: float
    frame: int
    against: int


def warn_of_drift(image: Image, channel: int = 0) -> None:
    """Warn if frames of a movie move; see `find_drift`.

    Warns
    -----
    UserWarning
        If they move by more than a pixel: how far, and from which frame on.
    """
    drift = find_drift(image, channel)
    if drift.pixels > MOVES:
        warnings.warn(
            f"frames move: those from {drift.frame} on lie {drift.pixels:.1f} pixels away from "
            f"those from {drift.against} on; nothing is corrected, align the movie first",
            stacklevel=3,
        )


def find_drift(image: Image, channel: int = 0) -> Drift:
    """The largest movement between the middle of a movie and other moments of it.

    By the peak of the cross-correlation.  A movement counts only where frames
    that are moved back by it agree, and better than frames as they are, by
    more than chance: noise is no drift, and a movie that shows nothing else has
    none.

    Parameters
    ----------
    image : Image
        With any number of frames; a single one does not move.
    channel : int
        Which one is looked at.
    """
    length = image.shape[0]
    many = min(AVERAGED, max(1, length // 4))
    starts = np.unique(np.linspace(0, length - many, MOMENTS).astype(int))
    level = _coarse(image)
    factors = [a / b for a, b in zip(image.shape[3:], image.levels[level].shape[3:], strict=True)]
    middle = int(starts[len(starts) // 2])
    reference = _moment(image, (level, channel), (middle, many))
    found = Drift(0.0, middle, middle)
    for start in map(int, starts):
        moved = _moment(image, (level, channel), (start, many))
        y, x = (d * f for d, f in zip(_movement(reference, moved), factors, strict=True))
        if hypot(y, x) > found.pixels:
            found = Drift(hypot(y, x), start, middle)
    return found


def _movement(reference: Plane, moved: Plane) -> tuple[float, float]:
    """How far (y, x) a plane has moved; nothing where moving it back does not help.

    Not whitened: frames of few photons have noise at all frequencies, and the
    scene at few.  Where halfway there frames agree less than as they are, the
    scene repeats itself, as cells in rows do, and cells that fire in turn agree
    about as well one row further: then moving back must help twice as much.
    """
    if not reference.any() or not moved.any():
        return 0.0, 0.0
    taper = np.outer(*(np.hanning(n + 2)[1:-1] for n in reference.shape))
    back, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]  # scikit-image
        reference * taper, moved * taper, upsample_factor=_FINENESS, normalization=None
    )
    margin = [min(int(np.ceil(abs(d))), n // 2 - 1) for d, n in zip(back, moved.shape, strict=True)]
    inside = tuple(slice(m, n - m) for m, n in zip(margin, moved.shape, strict=True))
    before, halfway, better = (
        _transformed(_agreement(reference[inside], shift(moved, k * back, order=1)[inside]))
        for k in (0.0, 0.5, 1.0)
    )
    error = _standard_error(reference[inside].size)
    gain = _BETTER * error if halfway >= before else max(_BETTER * error, better / 2)
    if better <= _CERTAIN * error or better - before <= gain:
        return 0.0, 0.0
    return -float(back[0]), -float(back[1])


def _agreement(one: Plane, other: Plane) -> float:
    """Pearson's correlation; 0 where either is constant."""
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / norm if norm else 0.0


def _transformed(correlation: float) -> float:
    """Fisher's transformation, whose standard error is the same for all correlations."""
    return atanh(min(max(correlation, -_MOST), _MOST))


def _standard_error(pixels: int) -> float:
    """That of a transformed correlation of as many pixels, smoothed as here."""
    independent = pixels / (4 * pi * _SMOOTHING**2)
    return 1 / sqrt(max(independent - 3, 1.0))


def _moment(image: Image, of: tuple[int, int], frames: tuple[int, int]) -> Plane:
    """The mean of some frames of a level and channel, smoothed, less its own mean."""
    (level, channel), (start, count) = of, frames
    _, _, depth, height, width = image.levels[level].shape
    total = np.zeros((height, width))
    for t in range(start, start + count):
        box = Region((t, depth // 2, 0, 0), (t + 1, depth // 2 + 1, height, width))
        total += image.read(box, level, (channel,))[0, 0, 0]
    smooth: Plane = gaussian_filter(total / count, _SMOOTHING)
    smooth -= smooth.mean()
    return smooth


def _coarse(image: Image) -> int:
    sides = [max(level.shape[3:]) for level in image.levels]
    return next((k for k, side in enumerate(sides) if side <= COARSE), len(sides) - 1)
