"""`export`: a store becomes one file of another format, whole or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

from stable_tiles.errors import InputError, Interrupted, OutputExists
from stable_tiles.export.nifti import write_nifti
from stable_tiles.export.options import ExportOptions, kind_of
from stable_tiles.export.plan import ExportPlan, plan_export
from stable_tiles.export.report import ExportReport
from stable_tiles.export.tiff import write_tiff
from stable_tiles.image.store import PARTIAL, open_image
from stable_tiles.image.writer import refuse_existing
from stable_tiles.progress import Progress, silent
from stable_tiles.usage import peak_rss_bytes


def export(
    store: Path | str,
    target: Path | str,
    options: ExportOptions | None = None,
    progress: Progress = silent,
) -> ExportReport:
    """Export a store to OME-TIFF (``.ome.tif``), TIFF (``.tif``) or NIfTI (``.nii``, ``.nii.gz``).

    Pixels, physical sizes and channels are the store's; a NIfTI header that
    the store keeps is restored field by field.  Memory does not grow with the
    image.  The file appears under its name when it is whole.

    Parameters
    ----------
    store : path
        The store; a local path or URL.
    target : path
        The file to be written; its suffix says what it will be.
    options : ExportOptions, optional
        The defaults if not given.
    progress : Progress
        Called with ``"tiles"`` or ``"slabs"``.

    Returns
    -------
    ExportReport

    Raises
    ------
    InputError
        If the store cannot be read or the format cannot hold it; nothing was written.
    WorkFailed
        If a chunk of the store is broken; nothing is left.
    """
    started = time.monotonic()
    if "://" in str(target):
        raise InputError(f"{target} is a URL: export to a local path, then copy the file")
    options, target = options or ExportOptions(), Path(target)
    kind_of(target)
    image = open_image(store)
    _refuse_target(target, store, options)
    plan = plan_export(image, target, options)
    if not options.dry_run:
        _write(plan, options, progress)
    return _report(plan, options, time.monotonic() - started)


def _refuse_target(target: Path, store: Path | str, options: ExportOptions) -> None:
    if "://" not in str(store) and Path(store).resolve() in target.resolve().parents:
        raise InputError(f"{target} lies inside the store: give another output")
    if target.is_dir():
        raise OutputExists(f"{target} is a folder: give the name of a file")
    if not (options.overwrite or options.dry_run):
        refuse_existing(target)


def _write(plan: ExportPlan, options: ExportOptions, progress: Progress) -> None:
    """Write beside the target, then give it its name."""
    target = plan.target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + PARTIAL)
    try:
        if plan.kind == "nifti":
            write_nifti(plan, partial, progress)
        else:
            write_tiff(plan, partial, options.codec, progress)
        _sync(partial)
        if not options.overwrite:
            refuse_existing(target)
        os.replace(partial, target)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {target} was not written") from None
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _report(plan: ExportPlan, options: ExportOptions, seconds: float) -> ExportReport:
    axes = plan.image.axes
    return ExportReport(
        output=str(plan.target),
        format=plan.kind,
        shape=axes.project(plan.image.shape),
        axes=axes.names,
        dtype=plan.dtype.name,
        levels=len(plan.levels),
        scale=axes.scale,
        unit=axes.units["x"],
        bytes_raw=plan.bytes_raw,
        bytes_out=0 if options.dry_run else plan.target.stat().st_size,
        memory_bytes=plan.memory_bytes,
        seconds=seconds,
        peak_rss_bytes=peak_rss_bytes(),
        dry_run=options.dry_run,
    )
