"""Statistics: gathered from the tiles of whole planes before the planes' regions are made.

Tasks gather moments of single tiles; whoever runs them merges moments in the
order of the tiles, so that the statistics of a plane have the same bits
whatever the number of workers.  They are kept beside the unfinished output,
one file a plane, written again after each pass: work that is interrupted goes
on with the next pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from torch import Tensor

from stable_tiles.errors import StableTilesError, WorkFailed, first_line
from stable_tiles.networks.moments import Moments, Table
from stable_tiles.networks.statistics import Given
from stable_tiles.progress import Progress
from stable_tiles.region import Region
from stable_tiles.translate.execute import Crew
from stable_tiles.translate.forward import TileNetwork
from stable_tiles.translate.job import Job
from stable_tiles.translate.kept import Kept, Plane
from stable_tiles.translate.norms import Survey
from stable_tiles.translate.task import Failure
from stable_tiles.translate.tools import tools_for


@dataclass(frozen=True)
class Found:
    """What a tile, whose core is `region` (t, z, y, x) of the source, shows of norm layers."""

    region: Region
    moments: Mapping[str, Moments]


def gather(job: Job, planes: Sequence[Plane], workers: Crew, progress: Progress) -> None:
    """Gather the statistics of planes of the source, unless they are there already.

    Raises
    ------
    WorkFailed
        If tiles could not be read or passed through the network.
    """
    survey, kept = job.survey, Kept(job.folder)
    if survey is None:
        return
    cores, done = survey.tiles(), 0
    total = len(planes) * len(cores) * survey.passes
    while waiting := [plane for plane in planes if not kept.is_complete(plane, survey)]:
        left = sum(survey.passes - kept.passes(plane, survey) for plane in waiting)
        done = total - left * len(cores)
        orders = [(job, _of_plane(plane, core)) for plane in waiting for core in cores]
        found: dict[Plane, list[Found]] = {plane: [] for plane in waiting}
        for done_one in workers(gather_tile, orders):
            if done_one is None:
                continue
            _, result = done_one
            if isinstance(result, Failure):
                raise WorkFailed(_explain(result))
            plane = (result.region.start[0], result.region.start[1])
            found[plane].append(result)
            if len(found[plane]) == len(cores):
                kept.add(plane, merged(found.pop(plane), survey))
            done += 1
            progress("statistics", done, total)


def gather_tile(job: Job, region: Region) -> Found | Failure:
    """What one tile shows of the norm layers that are next; its core is the region."""
    survey = job.survey
    if survey is None:
        raise ValueError("this job gathers no statistics")
    try:
        tools = tools_for(job)
        stages = tools.engine.stages
        (tile,) = survey.grid.tiles(Region(region.start[2:], region.stop[2:]))
        with stages.admitted:
            with stages.reading:
                reads = _of_plane((region.start[0], region.start[1]), tile.read)
                pixels = tools.image.read(reads, channels=job.channels)[:, :, 0]
            with stages.network:
                known = Kept(job.folder).load((region.start[0], region.start[1]), survey)
                units = job.intensity.enter(pixels, tools.tiles.device)
                moments = tools.tiles.gather(
                    units, (tile.read, tile.core), known, at_once=survey.at_once,
                    errors=job.errors is not None,
                )  # fmt: skip
    except (StableTilesError, OSError) as error:
        return Failure(region, first_line(error))
    except (RuntimeError, ValueError, MemoryError) as error:
        return Failure(region, f"{type(error).__name__}: {first_line(error)}")
    return Found(region, moments)


def sample_statistics(
    network: TileNetwork, units: Tensor, survey: Survey, *, errors: bool = False
) -> Given:
    """The statistics of a single plane (1, c, y, x) in memory, network units."""
    known = Given({}, *survey.centres())
    while len(known.tables) < len(survey.layers):
        found = []
        for core in survey.tiles():
            (tile,) = survey.grid.tiles(core)
            rows, columns = tile.read.slices
            areas = (tile.read, tile.core)
            moments = network.gather(
                units[:, :, rows, columns], areas, known, at_once=survey.at_once, errors=errors
            )
            found.append(Found(_of_plane((0, 0), core), moments))
        known = Given({**known.tables, **merged(found, survey)}, *survey.centres())
    return known


def merged(found: Iterable[Found], survey: Survey) -> dict[str, Table]:
    """The statistics of a plane, of what all its tiles have shown, in the order of the tiles."""
    ordered = sorted(found, key=lambda one: one.region)
    shape = (len(survey.grid.rows), len(survey.grid.columns)) if survey.is_by_cell() else (1, 1)
    tables = {}
    for name in ordered[0].moments:
        cells = [one.moments[name] for one in ordered]
        if not survey.is_by_cell():
            cells = [reduce(Moments.merge, cells)]
        mean, variance = (
            np.stack([getattr(cell, what)[0] for cell in cells]).reshape(1, *shape, -1)
            for what in ("mean", "variance")
        )
        dtype = np.float32 if survey.is_by_cell() else np.float64
        tables[name] = Table(mean.astype(dtype), variance.astype(dtype))
    return tables


def _of_plane(plane: Plane, area: Region) -> Region:
    """A box (y, x) of a plane as a box (t, z, y, x)."""
    t, z = plane
    return Region((t, z, *area.start), (t + 1, z + 1, *area.stop))


def _explain(failure: Failure) -> str:
    t, z, y, x = failure.region.start
    return (
        f"gathering norm statistics failed at t={t} z={z} y={y} x={x}: {failure.reason}. "
        "--resume goes on with the pass that failed"
    )
