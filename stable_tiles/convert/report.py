"""ConvertReport: what a conversion did, or would do."""

from __future__ import annotations

from dataclasses import dataclass

from stable_tiles.convert.plan import ConvertPlan
from stable_tiles.remote.location import Location
from stable_tiles.usage import peak_rss_bytes


@dataclass(frozen=True)
class ConvertReport:
    """What a conversion did, or with ``dry_run`` would do.

    Parameters
    ----------
    output : str
        The store.
    shape : tuple of int
        Shape of level 0 along `axes`.
    axes : str
        Names of the axes.
    dtype : str
        Dtype of the pixels.
    levels : int
        Number of levels.
    scale : dict
        Scale of level 0 by axis.
    unit : str or None
        Unit of length; None where unknown.
    bytes_in, bytes_out : int
        Sizes of the source's files and of the store (0 for a dry run).
    seconds : float
        Wall time.
    peak_rss_bytes : int
        Largest resident memory of the process so far.
    regions, workers, memory_bytes, disk_bytes : int
        The plan: regions, threads, and upper estimates of memory and disk.
    resumed_regions : int
        Regions that an interrupted run had written.
    dry_run : bool
        Whether nothing was written.
    """

    output: str
    shape: tuple[int, ...]
    axes: str
    dtype: str
    levels: int
    scale: dict[str, float]
    unit: str | None
    bytes_in: int
    bytes_out: int
    seconds: float
    peak_rss_bytes: int
    regions: int
    workers: int
    memory_bytes: int
    disk_bytes: int
    resumed_regions: int
    dry_run: bool


def planned(plan: ConvertPlan, target: Location, seconds: float) -> ConvertReport:
    """The report of a run that has written nothing."""
    described = plan.description
    return ConvertReport(
        output=str(target),
        shape=described.axes.project(described.shape),
        axes=described.axes.names,
        dtype=described.dtype.name,
        levels=len(plan.spec.layout.levels),
        scale=described.axes.scale,
        unit=described.axes.units["x"],
        bytes_in=described.bytes_in,
        bytes_out=0,
        seconds=seconds,
        peak_rss_bytes=peak_rss_bytes(),
        regions=len(plan.spec.layout.regions()),
        workers=plan.workers,
        memory_bytes=plan.memory_bytes,
        disk_bytes=plan.disk_bytes,
        resumed_regions=0,
        dry_run=True,
    )
