"""Report: what a translation did, or would do; also the receipt kept in its output."""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

from stable_tiles.ledger import Receipt
from stable_tiles.translate.memory import process_name
from stable_tiles.translate.prepare import Work
from stable_tiles.usage import peak_rss_bytes

_SPANS = 64
"""Spans that are remembered before the earliest half of them is only a sum."""


@dataclass(frozen=True)
class TranslateReport:
    """What a translation did, or with ``dry_run`` would do.

    Parameters
    ----------
    output : str
        The store.
    shape : tuple of int
        Shape of level 0 along its axes.
    dtype : str
        Dtype of the pixels.
    tiles, regions : int
        Forward passes of single planes, and blocks that were written.
    tile, halo : int
        Side of a forward pass, and pixels that are read around what is written; where
        encoder and decoder run apart, over both.
    blend : str
        How tiles became one image.
    norm : str
        Statistics of norm layers: ``none``, ``frozen`` (the run's), ``exact`` (the
        plane's) or ``dense`` (interpolated between cells of the plane).
    redundancy : float
        Pixels through the network for every pixel written.
    workers, gpus : int
        Processes and GPUs.
    megapixels, seconds, megapixels_per_second : float
        Pixels written by this run, and its time.
    forward_seconds, scheduler_seconds : float
        Time inside the network, summed over workers; and time of a worker, on
        average, outside regions (starting, waiting).
    survey_seconds : float
        Time to gather statistics of planes before any region was made; in neither of
        the two above.
    peak_rss_bytes : int
        Sum of the processes' largest resident memories.
    clipped_fraction : float
        Share of values outside the range of the dtype.
    halved : int
        Forward passes that were cut in two because the GPU's memory was full.
    resumed_regions : int
        Regions that an earlier run had written.
    memory_bytes, disk_bytes : int
        Predicted peak of memory, and most disk space that the output can take.
    complete : bool
        False where other parts are still at work, or nothing was written.
    dry_run : bool
        Whether nothing was written.
    """

    output: str
    shape: tuple[int, ...]
    dtype: str
    tiles: int
    regions: int
    tile: int
    halo: int
    blend: str
    norm: str
    redundancy: float
    workers: int
    gpus: int
    memory_bytes: int
    disk_bytes: int
    megapixels: float = 0.0
    seconds: float = 0.0
    megapixels_per_second: float = 0.0
    forward_seconds: float = 0.0
    scheduler_seconds: float = 0.0
    survey_seconds: float = 0.0
    peak_rss_bytes: int = 0
    clipped_fraction: float = 0.0
    halved: int = 0
    resumed_regions: int = 0
    complete: bool = False
    dry_run: bool = False

    def lasting(self, seconds: float) -> TranslateReport:
        """The same for a run of so many seconds."""
        return replace(self, seconds=seconds, megapixels_per_second=self.megapixels / seconds)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class CohortReport:
    """What the translation of several images did.

    Parameters
    ----------
    images : tuple of TranslateReport
        One for every image, in the order given.
    megapixels, seconds, megapixels_per_second : float
        Pixels written by this run, and its time.
    idle_fraction : float
        Share of the workers' time in which they had no region in work, starting included.
    """

    images: tuple[TranslateReport, ...]
    megapixels: float
    seconds: float
    megapixels_per_second: float
    idle_fraction: float

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)


class Busy:
    """The time in which at least one of overlapping spans lasted.

    Spans are told about in the order in which they end, or nearly so.

    Attributes
    ----------
    open : list of (float, float)
        The latest spans; of all before, the sum is known.
    """

    def __init__(self) -> None:
        self.open: list[tuple[float, float]] = []
        self._reached = self._closed = 0.0

    def add(self, began: float, ended: float) -> None:
        """Tell of a span."""
        insort(self.open, (began, ended))
        if len(self.open) > _SPANS:
            self._closed, self._reached = self._counted(_SPANS // 2)
            del self.open[: _SPANS // 2]

    @property
    def seconds(self) -> float:
        """Length of what the spans cover together."""
        return self._counted(len(self.open))[0]

    def _counted(self, first: int) -> tuple[float, float]:
        total, reached = self._closed, self._reached
        for began, ended in self.open[:first]:
            total += max(0.0, ended - max(began, reached))
            reached = max(reached, ended)
        return total, reached


class Tally:
    """Sums over the regions that one run has written."""

    def __init__(self) -> None:
        self.pixels = 0
        self.forward_seconds = 0.0
        self.halved = 0
        self._began = 0.0
        self._busy: dict[str, Busy] = {}
        self._peaks: dict[str, int] = {}

    def add(self, receipt: Receipt) -> None:
        """Count a region."""
        values = receipt.values
        self.pixels += receipt.region.size
        self.forward_seconds += values["forward_seconds"]
        self.halved += values["halved"]
        self._began = min(self._began or values["began"], values["began"])
        process = values["process"]
        self._busy.setdefault(process, Busy()).add(values["began"], values["ended"])
        self._peaks[process] = max(self._peaks.get(process, 0), values["peak_rss_bytes"])

    @property
    def age_seconds(self) -> float:
        """Seconds since the first region began; 0 before any is counted."""
        return max(0.0, time.time() - self._began) if self._began else 0.0

    @property
    def busy_seconds(self) -> float:
        """Seconds in which a process had at least one region in work, over all processes."""
        return sum(busy.seconds for busy in self._busy.values())

    @property
    def peak_rss_bytes(self) -> int:
        """Sum of the largest memories of all processes, this one included, bytes."""
        return sum((self._peaks | {process_name(): peak_rss_bytes()}).values())


def planned(work: Work) -> TranslateReport:
    """The report of a run that has written nothing."""
    spec, cut = work.job.spec, work.job.cut
    tiling, first = cut.grid.tiling, cut.first
    return TranslateReport(
        output=str(work.target),
        shape=spec.axes.project(spec.layout.shape),
        dtype=spec.dtype,
        tiles=work.plan.tiles,
        regions=len(work.plan.regions),
        tile=tiling.tile,
        halo=tiling.halo + (first.halo if first else 0),
        blend=tiling.blend,
        norm=work.job.norm,
        redundancy=work.plan.redundancy,
        workers=work.resources.workers,
        gpus=work.resources.gpus,
        memory_bytes=work.memory_bytes,
        disk_bytes=work.disk_bytes,
    )


def reported(work: Work, tally: Tally, execution: float) -> TranslateReport:
    """The report of an image whose regions were made within `execution` seconds."""
    return replace(
        planned(work),
        megapixels=tally.pixels / 1e6,
        forward_seconds=tally.forward_seconds,
        halved=tally.halved,
        scheduler_seconds=max(0.0, execution - tally.busy_seconds / max(1, work.resources.workers)),
        peak_rss_bytes=tally.peak_rss_bytes,
    ).lasting(execution)


def summed(images: Sequence[TranslateReport], tally: Tally, seconds: float) -> CohortReport:
    """The report of several images, whose regions `tally` has counted."""
    workers = max(1, images[0].workers) if images else 1
    written = [image for image in images if not image.dry_run]
    return CohortReport(
        tuple(images),
        tally.pixels / 1e6,
        seconds,
        tally.pixels / 1e6 / seconds,
        max(0.0, 1 - tally.busy_seconds / (workers * seconds)) if written else 0.0,
    )


def clipped_fraction(work: Work, clipped: int) -> float:
    """Share of all values of the output that were clipped to its dtype."""
    return clipped / prod(work.job.spec.layout.shape)
