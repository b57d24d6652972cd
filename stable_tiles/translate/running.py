"""Running: one image of a translation under way: begun, counted, sealed."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import WorkFailed
from stable_tiles.hold import Hold
from stable_tiles.ledger import Receipt
from stable_tiles.progress import Progress
from stable_tiles.provenance import versions
from stable_tiles.translate.execute import Crew, Order
from stable_tiles.translate.options import Hardware, TranslateOptions
from stable_tiles.translate.output import begin, carried_nifti, seal, sealing
from stable_tiles.translate.prepare import Work
from stable_tiles.translate.report import (
    Tally,
    TranslateReport,
    clipped_fraction,
    reported,
)
from stable_tiles.translate.statistics import gather
from stable_tiles.translate.task import Failure

_NAMED = 10
"""Holes of an unfinished output that are told by their positions."""


class Running:
    """One image, from the unfinished output to the sealed one.

    Parameters
    ----------
    work : Work
        What was decided.
    options : TranslateOptions
        What the user asked for.
    """

    def __init__(self, work: Work, options: TranslateOptions) -> None:
        self.work, self._options = work, options
        self.tally = Tally()
        self._failures: list[Failure] = []
        self._failed = 0
        self.left: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._waiting, self._resumed = 0, 0
        self._surveyed = 0.0
        self._began = time.perf_counter()
        self._hold = Hold(work.job.folder, shared=options.part is not None)

    @property
    def hardware(self) -> Hardware:
        """Where the work runs."""
        return self._options.hardware

    def begin(self, workers: Crew, progress: Progress) -> None:
        """Begin the output, or join what was begun, and gather what its regions need.

        Raises
        ------
        OutputExists, FingerprintMismatch
            If the output exists, is being written, or was begun with other inputs.
        WorkFailed
            If statistics could not be gathered.
        """
        self._began = time.perf_counter()
        regions = self.work.plan.regions
        done = begin(self.work, self._options, self._hold)
        i, n = self._options.part or (0, 1)
        left = np.flatnonzero(~done)
        self.left = left[left % n == i]
        self._resumed = len(range(i, len(regions), n)) - len(self.left)
        self._waiting = len(self.left)
        self._surveyed = self._survey(workers, progress)

    def order(self, number: int) -> Order:
        """One of what is left to do."""
        return self.work.job, self.work.plan.regions[int(self.left[number])]

    def count(self, outcome: Receipt | Failure) -> bool:
        """Count what came of a region; returns whether it was the last one.

        Raises
        ------
        OutputExists
            If another process has taken the output over meanwhile.
        """
        self._hold.check()
        if isinstance(outcome, Failure):
            self._failed += 1
            if len(self._failures) < _NAMED:
                self._failures.append(outcome)
        else:
            self.tally.add(outcome)
        self._waiting -= 1
        return self._waiting == 0

    def finish(self) -> TranslateReport:
        """Seal the output, unless regions are missing or with other parts.

        Raises
        ------
        WorkFailed
            If regions could not be made; the line names the first of them.
        """
        if self._failed:
            raise WorkFailed(_explain(self._failures, self._failed, len(self.left)))
        execution = time.perf_counter() - self._began - self._surveyed
        report = replace(
            reported(self.work, self.tally, execution),
            resumed_regions=self._resumed,
            survey_seconds=self._surveyed,
        )
        with sealing(self.work) as clipped:
            if clipped is not None:
                fraction = clipped_fraction(self.work, clipped)
                report = replace(report, clipped_fraction=fraction, complete=True)
                attributes = _attributes(self.work, self._options, report)
                seal(self.work, attributes, overwrite=self._options.overwrite)
        self.close()
        lasted = time.perf_counter() - self._began
        return report.lasting(min(lasted, self.tally.age_seconds or lasted))

    def close(self) -> None:
        """Let go of the output."""
        self._hold.release()

    def _survey(self, workers: Crew, progress: Progress) -> float:
        """Gather the statistics that regions need, if any; returns the seconds it took."""
        job, left = self.work.job, range(len(self.left))
        if job.survey is None or not left:
            return 0.0
        began = time.perf_counter()
        planes = sorted({plane for k in left for plane in job.cut.planes(self.order(k)[1])})
        gather(job, planes, workers, progress)
        return time.perf_counter() - began


class Orders:
    """What several images have left to do, one image after the other."""

    def __init__(self, images: Sequence[Running]) -> None:
        self._images = images
        self._starts = [0, *accumulate(len(image.left) for image in images)]

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, number: int) -> Order:
        k = bisect_right(self._starts, number) - 1
        return self._images[k].order(number - self._starts[k])


def _explain(failures: Sequence[Failure], failed: int, total: int) -> str:
    """One line that names the holes, the first of them with its reason."""
    first, *others = (
        " ".join(f"{axis}={n}" for axis, n in zip("tzyx", failure.region.start, strict=True))
        for failure in failures
    )
    more = f" and {failed - len(failures)} more" if failed > len(failures) else ""
    also = f" (also {'; '.join(others)}{more})" if others else ""
    return (
        f"the region at {first}{also} failed: {failures[0].reason}. "
        f"{total - failed} of {total} are done: --resume tries the rest again"
    )


def _attributes(work: Work, options: TranslateOptions, report: TranslateReport) -> dict[str, Any]:
    """The group attribute of the output: what made it."""
    job = work.job
    provenance = {
        "command": work.command,
        "versions": versions(),
        "model": {"digest": job.digest, "direction": job.direction, **work.model.provenance},
        "source": {"name": work.image.name, "digest": work.image.digest()},
        "options": {
            "origin": dict(zip("tzyx", job.cut.origin, strict=True)),
            "channels": job.channels,
            "range": options.range,
            "normalize": work.normalize,
            "low": job.intensity.source.low,
            "high": job.intensity.source.high,
            "norm": job.norm,
            "cells": [len(job.survey.centres()[0]), len(job.survey.centres()[1])]
            if job.survey
            else None,
            "precision": job.forward.precision,
            "device": job.forward.device,
        },
        "report": report.to_json() | {"output": work.target.name},
    }
    kind = "denoised" if work.command == "denoise" else "translation"
    return {"kind": kind, "provenance": provenance, **carried_nifti(work)}
