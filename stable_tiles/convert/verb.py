"""`convert`: one foreign image becomes one OME-Zarr store."""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stable_tiles.convert.digests import digests_of
from stable_tiles.convert.options import ConvertOptions
from stable_tiles.convert.plan import ConvertPlan, plan_conversion, refuse_false_size
from stable_tiles.convert.report import ConvertReport, planned
from stable_tiles.convert.write import RegionTask, write_regions
from stable_tiles.errors import InputError, NotAnImage, OutputExists, WorkFailed
from stable_tiles.hold import Hold, locked
from stable_tiles.image.sources import Source, SourceOptions, open_source
from stable_tiles.image.sources.assemble import CroppedSource
from stable_tiles.image.sources.original import numbers_only
from stable_tiles.image.sources.source import SourceWarning
from stable_tiles.image.writer import (
    STORE,
    ImageWriter,
    create_store,
    is_store,
    is_taken,
    partial_folder,
    refuse_existing,
    unfinished_store,
)
from stable_tiles.ledger import Ledger, digest_of, sweep
from stable_tiles.progress import Progress, silent
from stable_tiles.provenance import versions
from stable_tiles.region import Region
from stable_tiles.remote.location import Location, Remote, clear, files_of, locate


def convert(
    sources: Sequence[Path | str] | Path | str,
    target: str | Location,
    options: ConvertOptions | None = None,
    progress: Progress = silent,
) -> ConvertReport:
    """Convert an image to an OME-Zarr store.

    Level 0 equals the source's decoded pixels.  Memory is bounded by the
    regions in flight.  The store appears under its name when it is whole; an
    interrupted conversion is completed by ``resume``.

    Parameters
    ----------
    sources : path or sequence of paths
        A file, a store, or several files of one shape to be stacked.
    target : str, Path or Remote
        The store to be written.
    options : ConvertOptions, optional
        The defaults if not given.
    progress : Progress
        Called with ``"regions"``.

    Returns
    -------
    ConvertReport

    Raises
    ------
    InputError
        If a source or an option is wrong; nothing was written.
    WorkFailed
        If pixels cannot be decoded; what was done can be resumed.
    """
    started = time.monotonic()
    options = options or ConvertOptions()
    target = locate(target)
    paths = [sources] if isinstance(sources, Path | str) else list(sources)
    _refuse_target(target, paths, options)
    source = _open(paths, target, options)
    try:
        refuse_false_size(source.description, _free_bytes(target))
        plan = plan_conversion(source.description, options)
        written, resumed = 0, 0
        if not options.dry_run:
            _warn_of_small_disk(plan, target)
            _probe(source)
            if options.resume and _was_sealed(target):
                resumed = _clear_ledger(plan, target, options)
            else:
                resumed = _write(source, plan, target, options, progress)
            written = sum(entry.bytes for _, entry in files_of(target))
    finally:
        source.close()
    report = planned(plan, target, time.monotonic() - started)
    return replace(report, bytes_out=written, resumed_regions=resumed, dry_run=options.dry_run)


def _open(paths: Sequence[Path | str], target: Location, options: ConvertOptions) -> Source:
    said = options.said
    scratch = _existing_folder(target)
    source = open_source(paths, SourceOptions(said.series, said.axes, said.stack, scratch))
    if options.region is None:
        return source
    try:
        return CroppedSource(source, options.region)
    except InputError:
        source.close()
        raise


def _refuse_target(
    target: Location, sources: Sequence[Path | str], options: ConvertOptions
) -> None:
    """Refuse an output that would replace something that must not be replaced."""
    if isinstance(target, Remote):
        target.refuse_reading_only()
    for source in map(locate, sources):
        if _holds(target, source):
            raise InputError(f"{target} holds the source {source}: give another output")
    if is_taken(target):
        sealed = options.resume and _was_sealed(target)
        if not (options.overwrite or options.dry_run or sealed):
            refuse_existing(target)
        if not is_store(target):
            raise OutputExists(f"{target} exists and is no store: give another name")
    if options.dry_run:
        return
    _refuse_begun(target, options)


def _holds(target: Location, source: Location) -> bool:
    if isinstance(source, Remote):
        return source.is_below(target)
    return isinstance(target, Path) and target.resolve() in (p := source.resolve(), *p.parents)


def _refuse_begun(target: Location, options: ConvertOptions) -> None:
    """Refuse an output that another process writes, or that was begun and is not finished."""
    folder = partial_folder(target)
    if not folder.exists():
        return
    with locked(folder):
        hold = Hold(folder)
        hold.take()
        hold.release()
    begun = any(True for _ in Ledger(folder).receipts())
    if begun and not (options.overwrite or options.resume):
        raise OutputExists(
            f"{target} was begun and not finished: --resume to complete it, "
            "or --overwrite to start again"
        )


def _probe(source: Source) -> None:
    """Decode the first and the last pixel, so that a damaged file is refused before work.

    The last one of a stream would cost all before it.
    """
    t, _, z, y, x = source.description.shape
    last = (0, 0, 0, 0) if source.description.streamed else (t - 1, z - 1, y - 1, x - 1)
    try:
        for corner in {(0, 0, 0, 0), last}:
            source.read(Region(corner, tuple(n + 1 for n in corner)))
    except WorkFailed as error:
        raise NotAnImage(str(error)) from error


def _warn_of_small_disk(plan: ConvertPlan, target: Location) -> None:
    if isinstance(target, Remote):
        return
    free = _free_bytes(target)
    if free < plan.disk_bytes:
        warnings.warn(
            f"{free >> 20} MiB are free for up to {plan.disk_bytes >> 20} MiB: "
            "if the disk fills up, make room and add --resume",
            SourceWarning,
            stacklevel=2,
        )


def _free_bytes(target: Location) -> int:
    """Free disk where the output will lie, or behind a URL where scratch files do."""
    return shutil.disk_usage(_existing_folder(target)).free


def _existing_folder(target: Location) -> Path:
    """The folder on a disk that is nearest to an output."""
    if isinstance(target, Remote):
        return Path(tempfile.gettempdir())
    return next(folder for folder in target.absolute().parents if folder.is_dir())


def _write(
    source: Source,
    plan: ConvertPlan,
    target: Location,
    options: ConvertOptions,
    progress: Progress,
) -> int:
    """Write the store; returns how many regions an earlier run had written."""
    with _begun(plan, target, options) as (writer, ledger, written):
        task = RegionTask(source, writer, ledger, written)
        with digests_of(plan.description.files) as digests:
            write_regions(plan, task, progress)
            _attach(writer, source, options)
            attributes = _attributes(plan, task, options, digests.result())
        writer.seal(target, attributes, overwrite=options.overwrite)
    return len(written)


def _was_sealed(target: Location) -> bool:
    """Whether a conversion was killed after its store got its name, and before it tidied up."""
    folder = partial_folder(target)
    if isinstance(target, Remote):
        return is_store(target) and is_taken(target) and Ledger(folder).exists
    return target.is_dir() and folder.exists() and not (folder / STORE).exists()


def _clear_ledger(plan: ConvertPlan, target: Location, options: ConvertOptions) -> int:
    """Tidy up after a conversion that is whole; returns its number of regions."""
    ledger = Ledger(partial_folder(target))
    if ledger.exists:
        ledger.check(_fingerprint(plan, options))
    clear(ledger.folder)
    return len(plan.spec.layout.regions())


@contextmanager
def _begun(
    plan: ConvertPlan, target: Location, options: ConvertOptions
) -> Iterator[tuple[ImageWriter, Ledger, list[Region]]]:
    """The unfinished store, new or resumed, while this process alone may write it."""
    folder = partial_folder(target)
    hold = Hold(folder)
    try:
        with locked(folder):
            if folder.exists():
                hold.take()
            begun = _begin(plan, target, options)
            hold.take()
        yield begun
    finally:
        hold.release()


def _begin(
    plan: ConvertPlan, target: Location, options: ConvertOptions
) -> tuple[ImageWriter, Ledger, list[Region]]:
    """The writer of a new unfinished store, or of the one that is resumed."""
    folder = partial_folder(target)
    ledger = Ledger(folder)
    fingerprint = _fingerprint(plan, options)
    if options.resume and ledger.exists:
        ledger.check(fingerprint)
        sweep(folder)
        writer = ImageWriter(unfinished_store(target), plan.spec)
        return writer, ledger, [receipt.region for receipt in ledger.verified(writer.store)]
    progress = {"command": "convert", "regions": len(plan.spec.layout.regions())}
    writer = create_store(target, plan.spec, progress)
    ledger.begin(fingerprint)
    return writer, ledger, []


def _fingerprint(plan: ConvertPlan, options: ConvertOptions) -> dict[str, str]:
    """What must be equal for a conversion to be resumed."""
    described = plan.description
    files = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in described.files]
    source = [files, described.bytes_in, described.metadata, described.shape, str(described.dtype)]
    summary = options.summary() | {"axes": str(described.axes), "channels": str(plan.spec.channels)}
    return {"source": digest_of(source)} | {
        f"--{name.replace('_', '-')}": digest_of(value) for name, value in summary.items()
    }


def _attach(writer: ImageWriter, source: Source, options: ConvertOptions) -> None:
    header = source.description.nifti
    if header is not None:
        writer.attach("nifti", np.frombuffer(header.raw, np.uint8))
    if options.keep_associated:
        for name, pixels in source.associated().items():
            writer.attach(f"associated_{name}", pixels)


def _attributes(
    plan: ConvertPlan,
    task: RegionTask,
    options: ConvertOptions,
    digests: list[dict[str, Any]],
) -> dict[str, Any]:
    """The group attribute: what made the store, and its intensities."""
    described = plan.description
    intensity: dict[str, Any] = {
        "percentiles": task.histogram.stored(),
        "histogram": task.histogram.binned(),
    }
    attributes: dict[str, Any] = {
        "kind": "labels" if described.is_labels else "source",
        "provenance": {
            "command": "convert",
            "versions": versions(),
            "sources": digests,
            "source_metadata": described.metadata,
            "options": options.summary(),
        },
        "intensity": intensity,
    }
    original = described.original
    if kept := original if options.keep_associated else numbers_only(original):
        attributes["original"] = kept
    if described.nifti is not None:
        intensity |= {"scl_slope": described.nifti.slope, "scl_inter": described.nifti.inter}
        attributes["nifti"] = described.nifti.fields
    return attributes
