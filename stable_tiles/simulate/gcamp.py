"""Activity of neurons as a calcium indicator shows it, any frame on its own."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np

from stable_tiles.simulate.cells import Sites
from stable_tiles.simulate.streams import Floats, Stream


@dataclass(frozen=True)
class Gcamp:
    """What a calcium indicator makes of spikes in bursts.

    ``dF/F(t) = sum over events of amplitude * k(t - event)``,
    ``k(t) = (1 - exp(-t / rise)) exp(-t / decay)`` scaled to a peak of 1.
    GCaMP6s rises in 0.2 s and decays over one to three seconds (Chen et al.
    2013, doi:10.1038/nature12354); events of larval zebrafish come every ten
    seconds or so and double the brightness (Ahrens et al. 2013,
    doi:10.1038/nmeth.2434).

    Parameters
    ----------
    rise_s, decay_s : float
        Time constants, seconds.
    rate_hz : float
        Median number of events a second; a cell's own rate is log-normal about it.
    rate_spread, amplitude_spread : float
        Standard deviations of the logarithms.
    amplitude : float
        Median dF/F of one event.
    """

    rise_s: float = 0.2
    decay_s: float = 2.0
    rate_hz: float = 0.08
    rate_spread: float = 0.8
    amplitude: float = 0.8
    amplitude_spread: float = 0.5

    def traces(self, stream: Stream, sites: Sites, frames: range, frame_s: float) -> Floats:
        """dF/F of every cell, float64 (frames, cells); any frame can be asked for alone."""
        memory = ceil(6 * self.decay_s / frame_s)
        bins = np.arange(frames.start - memory, frames.stop)
        rate = self.rate_hz * np.exp(self.rate_spread * sites.normal(stream))
        iy, ix = sites.iy[:, None], sites.ix[:, None]
        fires = stream.uniform(iy, ix, 1, bins) < 1 - np.exp(-rate * frame_s)[:, None]
        event_s = (bins + stream.uniform(iy, ix, 2, bins) - 1) * frame_s
        spread = np.exp(self.amplitude_spread * stream.normal(iy, ix, 3, bins))
        amplitude = fires * self.amplitude * spread
        now = [slice(f - frames.start, f - frames.start + memory + 1) for f in frames]
        return np.array(
            [
                (amplitude[:, s] * self._kernel(f * frame_s - event_s[:, s])).sum(axis=1)
                for f, s in zip(frames, now, strict=True)
            ]
        ).reshape(len(frames), len(sites))

    def _kernel(self, t: Floats) -> Floats:
        peak_s = self.rise_s * log(1 + self.decay_s / self.rise_s)
        shapes = [(1 - np.exp(-s / self.rise_s)) * np.exp(-s / self.decay_s) for s in (t, peak_s)]
        return np.asarray(shapes[0] / shapes[1])
