"""`translate`: one image becomes another through a trained model, without seams."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stable_tiles.errors import Interrupted, WorkFailed
from stable_tiles.progress import Progress, silent
from stable_tiles.provenance import versions
from stable_tiles.region import Region
from stable_tiles.translate.execute import Crew, crew
from stable_tiles.translate.memory import use_one_arena
from stable_tiles.translate.options import TranslateOptions
from stable_tiles.translate.output import begin, carried_nifti, refuse_target, seal, sealing
from stable_tiles.translate.prepare import Work, prepare
from stable_tiles.translate.report import (
    Tally,
    TranslateReport,
    clipped_fraction,
    planned,
    reported,
)
from stable_tiles.translate.statistics import gather
from stable_tiles.translate.task import Failure, make_region

DEFAULTS = TranslateOptions()
"""What a translation does when it is told nothing."""


def translate(
    source: str | Path,
    target: str | Path | None = None,
    options: TranslateOptions = DEFAULTS,
    progress: Progress = silent,
) -> TranslateReport:
    """Translate an OME-Zarr image with a trained model.

    Parameters
    ----------
    source : str or Path
        The image.
    target : str or Path, optional
        The output; ``NAME.translated.zarr`` beside the source by default.
    options : TranslateOptions
        What to do and how.
    progress : Progress
        Told of regions done, and before that of tiles whose statistics are gathered, if any.

    Returns
    -------
    TranslateReport
        What was done; it is also kept in the output's provenance.

    Raises
    ------
    InputError
        If anything does not fit, before work starts.
    WorkFailed
        If regions could not be made; all others are done and ``resume`` completes the rest.
    Interrupted
        If the work was interrupted; ``resume`` completes it.

    Notes
    -----
    The same inputs give the same array files, byte for byte, for any number of
    workers, any order, and any interruption.
    """
    began = time.perf_counter()
    use_one_arena()
    work = prepare(source, target, options)
    if options.dry_run:
        return replace(planned(work), dry_run=True)
    refuse_target(work.target, options)
    started = time.perf_counter()
    try:
        with crew(options.hardware, work.resources) as workers:
            done = {receipt.region for receipt in begin(work, options)}
            mine = _own_regions(work, options)
            left = [region for region in mine if region not in done]
            surveyed = _survey(work, workers, left, progress)
            tally = _work(work, workers, left, progress)
        execution = time.perf_counter() - started - surveyed
        report = reported(work, tally, (time.perf_counter() - began, execution))
        resumed = len(mine) - len(left)
        report = replace(report, resumed_regions=resumed, survey_seconds=surveyed)
        report = _seal(work, options, report)
    except KeyboardInterrupt:
        raise Interrupted("interrupted: run the same command with --resume to go on") from None
    seconds = time.perf_counter() - began
    return replace(report, seconds=seconds, megapixels_per_second=report.megapixels / seconds)


def _seal(work: Work, options: TranslateOptions, report: TranslateReport) -> TranslateReport:
    """Finish the output, unless other parts are still at work."""
    with sealing(work) as receipts:
        if receipts is None:
            return report
        report = replace(report, clipped_fraction=clipped_fraction(work, receipts), complete=True)
        seal(work, _attributes(work, options, report), overwrite=options.overwrite)
    return report


def _own_regions(work: Work, options: TranslateOptions) -> Sequence[Region]:
    """The regions that fall to this run: all, or every n-th."""
    i, n = options.part or (0, 1)
    return work.plan.regions[i::n]


def _survey(work: Work, workers: Crew, left: Sequence[Region], progress: Progress) -> float:
    """Gather the statistics that regions need, if any; returns the seconds it took."""
    if work.job.survey is None or not left:
        return 0.0
    began = time.perf_counter()
    planes = sorted({plane for region in left for plane in work.job.cut.planes(region)})
    gather(work.job, planes, workers, progress)
    return time.perf_counter() - began


def _work(work: Work, workers: Crew, left: Sequence[Region], progress: Progress) -> Tally:
    """Make regions, whatever order they finish in."""
    tally, failures, finished = Tally(), [], 0
    progress("regions", 0, len(left))
    for result in workers(make_region, work.job, left):
        if isinstance(result, Failure):
            failures.append(result)
        elif result is not None:
            tally.add(result)
        finished += result is not None
        progress("regions", finished, len(left))
    if failures:
        raise WorkFailed(_explain(failures, len(left)))
    return tally


def _explain(failures: Sequence[Failure], total: int) -> str:
    first = failures[0]
    t, z, y, x = first.region.start
    others = f" (and {len(failures) - 1} more regions)" if len(failures) > 1 else ""
    return (
        f"the region at t={t} z={z} y={y} x={x}{others} failed: {first.reason}. "
        f"{total - len(failures)} of {total} are done: --resume tries the rest again"
    )


def _attributes(work: Work, options: TranslateOptions, report: TranslateReport) -> dict[str, Any]:
    """The group attribute of the output: what made it."""
    job = work.job
    provenance = {
        "command": "translate",
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
    return {"kind": "translation", "provenance": provenance, **carried_nifti(work)}
