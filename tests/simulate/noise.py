"""What tests of every photon-limited task ask of its noise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stable_tiles.simulate.optics import Camera


def assert_variance_follows_the_mean(
    camera: Camera, noisy: npt.NDArray[np.generic], clean: npt.NDArray[np.generic]
) -> None:
    """``variance = gain * (mean - offset) + read_noise ** 2`` in every range of brightness."""
    expected = clean.astype(float)
    residual = noisy.astype(float) - expected
    for low, high in pairwise(np.percentile(expected, (5, 30, 60, 90, 99))):
        chosen = (expected > low) & (expected < high)
        variance = camera.gain * (expected[chosen].mean() - camera.offset) + camera.read_noise**2
        assert abs(residual[chosen].var() / variance - 1) < 0.12
        assert abs(residual[chosen].mean()) < 6 * np.sqrt(variance / chosen.sum())
