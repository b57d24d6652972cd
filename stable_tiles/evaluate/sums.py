"""Sums: what must be known of the pixels of two images to compare them, added up tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, log10, nan, sqrt

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

from stable_tiles.region import Region

SSIM_HALO = 3
"""Pixels around a pixel that its structural similarity depends on (a window of 7 x 7)."""

METRICS = ("rmse", "mae", "psnr", "ssim", "pcc")

Plane = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Sums over the pixels of two images, x and y.

    Adding the sums of two disjoint sets of pixels gives those of their union,
    in any order, to float64's rounding.  The second moments are about the
    means, so a large offset costs no digits.

    Parameters
    ----------
    n : int
        Pixels.
    mean_x, mean_y : float
        Means of either image.
    xx, yy, xy : float
        Sums of the products of the deviations from the means.
    squared, absolute : float
        Sums of the squared and of the absolute differences.
    similarity : float
        Sum of the structural similarity of `windows` windows.
    windows : int
        Windows of 7 x 7 pixels that lie wholly inside the plane.
    """

    n: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0
    squared: float = 0.0
    absolute: float = 0.0
    similarity: float = 0.0
    windows: int = 0

    @classmethod
    def of_pixels(cls, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Sums:
        """The sums of two arrays of one shape; NaN throughout where a pixel is not finite."""
        if not x.size:
            return cls()
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            return cls(x.size, nan, nan, nan, nan, nan, nan, nan)
        # Counted from their first pixel, constant images have a spread of exactly 0.
        first_x, first_y = float(x.flat[0]), float(y.flat[0])
        dx, dy = x - first_x, y - first_y
        shift_x, shift_y = float(dx.mean()), float(dy.mean())
        difference = x - y
        dx -= shift_x
        dy -= shift_y
        return cls(
            n=x.size,
            mean_x=first_x + shift_x,
            mean_y=first_y + shift_y,
            xx=float(np.vdot(dx, dx)),
            yy=float(np.vdot(dy, dy)),
            xy=float(np.vdot(dx, dy)),
            squared=float(np.vdot(difference, difference)),
            absolute=float(np.abs(difference).sum()),
        )

    def __add__(self, other: Sums) -> Sums:
        n = self.n + other.n
        if not self.n or not other.n:
            known = self if self.n else other
            mean_x, mean_y, weight, dx, dy = known.mean_x, known.mean_y, 0.0, 0.0, 0.0
        else:
            dx, dy = other.mean_x - self.mean_x, other.mean_y - self.mean_y
            share = other.n / n
            mean_x, mean_y = self.mean_x + dx * share, self.mean_y + dy * share
            weight = self.n * share
        return Sums(
            n=n,
            mean_x=mean_x,
            mean_y=mean_y,
            xx=self.xx + other.xx + dx * dx * weight,
            yy=self.yy + other.yy + dy * dy * weight,
            xy=self.xy + other.xy + dx * dy * weight,
            squared=self.squared + other.squared,
            absolute=self.absolute + other.absolute,
            similarity=self.similarity + other.similarity,
            windows=self.windows + other.windows,
        )

    @property
    def rmse(self) -> float:
        """Root of the mean squared difference."""
        return sqrt(self.squared / self.n) if self.n and isfinite(self.squared) else nan

    @property
    def mae(self) -> float:
        """Mean absolute difference."""
        return self.absolute / self.n if self.n else nan

    def psnr(self, data_range: float) -> float:
        """``20 log10(data_range / rmse)`` in dB; infinite for equal images."""
        return inf if self.rmse == 0 else 20 * log10(data_range / self.rmse)

    @property
    def ssim(self) -> float:
        """Mean structural similarity of all windows; NaN for a plane smaller than one."""
        return self.similarity / self.windows if self.windows else nan

    @property
    def pcc(self) -> float:
        """Pearson's correlation; NaN where an image is constant."""
        spread = sqrt(self.xx) * sqrt(self.yy) if isfinite(self.xx + self.yy) else nan
        return min(1.0, max(-1.0, self.xy / spread)) if spread > 0 else nan

    def metrics(self, data_range: float) -> dict[str, float]:
        """All of `METRICS` by name."""
        values = (self.rmse, self.mae, self.psnr(data_range), self.ssim, self.pcc)
        return dict(zip(METRICS, values, strict=True))


def sums_of_tile(
    x: Plane, y: Plane, core: Region, shape: tuple[int, int], data_range: float
) -> Sums:
    """The sums of one tile of a plane.

    Parameters
    ----------
    x, y : array of float64, (y, x)
        The tile with `SSIM_HALO` more pixels on every side, clipped to the plane.
    core : Region
        The tile (y, x) in the plane; every pixel of a plane belongs to one tile.
    shape : (int, int)
        Of the plane.
    data_range : float
        What structural similarity takes for the range of the pixels.
    """
    plane = Region.whole(shape)
    origin = core.expand(SSIM_HALO, plane).start
    inside = core.relative_to(origin).slices
    sums = Sums.of_pixels(x[inside], y[inside])
    if min(shape) <= 2 * SSIM_HALO:
        return sums
    centres = core.intersect(Region((SSIM_HALO,) * 2, (shape[0] - SSIM_HALO, shape[1] - SSIM_HALO)))
    if centres is None or not isfinite(sums.squared):
        return sums
    seen = centres.expand(SSIM_HALO, plane).relative_to(origin).slices
    if not (np.isfinite(x[seen]).all() and np.isfinite(y[seen]).all()):
        return sums + Sums(similarity=nan, windows=centres.size)
    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]  # scikit-image
        x[seen], y[seen], data_range=data_range, full=True
    )
    valid = similarity[SSIM_HALO:-SSIM_HALO, SSIM_HALO:-SSIM_HALO]
    return sums + Sums(similarity=float(valid.sum()), windows=centres.size)
