"""Output: the unfinished store of a translation: begun, resumed, shared by parts, sealed.

Whoever begins or seals holds a lock on the folder of the output for that
moment, so several parts may start and end together.  Whoever writes holds the
unfinished output itself, alone or with the other parts, until it ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from stable_tiles.errors import OutputExists
from stable_tiles.hold import Hold, locked
from stable_tiles.image.store import Image, open_image
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
from stable_tiles.ledger import Ledger, Receipt, sweep
from stable_tiles.remote.location import Location
from stable_tiles.tiling.order import Curve
from stable_tiles.translate.options import TranslateOptions
from stable_tiles.translate.prepare import Work


def refuse_target(target: Location, options: TranslateOptions) -> None:
    """Refuse an output that exists, or is unfinished, unless the options say what to do.

    Raises
    ------
    OutputExists
        The line says which option to add.
    """
    if options.overwrite:
        if target.exists() and not is_store(target):
            raise OutputExists(f"{target} exists and is no store: give another name")
        return
    refuse_existing(target)
    begun = Ledger(partial_folder(target)).exists
    if begun and not (options.resume or options.part):
        raise OutputExists(
            f"{target} was begun and not finished: --resume to complete it, "
            "or --overwrite to start again"
        )


def is_finished(work: Work) -> bool:
    """Whether the output is there already: made of this source by this model."""
    if not is_store(work.target) or not is_taken(work.target):
        return False
    made = open_image(work.target).attributes.get("provenance", {})
    return bool(
        made.get("command") == work.command
        and made.get("model", {}).get("digest") == work.job.digest
        and made.get("source", {}).get("digest") == work.image.digest()
    )


def begin(work: Work, options: TranslateOptions, hold: Hold) -> npt.NDArray[np.bool_]:
    """Create the unfinished store, or join the one that is there.

    Parameters
    ----------
    work : Work
        What was decided.
    options : TranslateOptions
        What the user asked for.
    hold : Hold
        The right to write the unfinished output, which is taken here.

    Returns
    -------
    array of bool, (regions)
        Which are done, by their numbers in the plan; compared with their files where work is
        resumed.

    Raises
    ------
    OutputExists, FingerprintMismatch
        If the output exists, is being written, or was begun with other inputs.
    """
    job = work.job
    with locked(job.folder):
        refuse_target(work.target, options)
        ledger = Ledger(job.folder)
        if ledger.exists:
            hold.take()
            if not options.overwrite:
                ledger.check(work.fingerprint())
                return done_of(work.plan.regions, _rejoin(work, options))[0]
        create_store(work.target, job.spec, _progress(work))
        hold.take()
        if job.errors:
            create_store(job.error_target, job.errors, _progress(work))
        ledger.begin(work.fingerprint())
        return np.zeros(len(work.plan.regions), bool)


def seal(work: Work, attributes: dict[str, Any], *, overwrite: bool) -> None:
    """Finish the companion image, then the output, and give it its name."""
    job = work.job
    if job.errors:
        errors = ImageWriter(unfinished_store(job.error_target), job.errors)
        errors.seal(job.error_target, {**attributes, "kind": "confidence"})
    writer = ImageWriter(job.store, job.spec)
    header = _nifti_header(work.image) if "nifti" in attributes else None
    if header is not None:
        writer.attach("nifti", header)
    writer.seal(work.target, attributes, overwrite=overwrite)


def done_of(regions: Curve, receipts: Iterable[Receipt]) -> tuple[npt.NDArray[np.bool_], int]:
    """Which regions have a receipt, by their numbers, and how many of their values were clipped."""
    done, clipped = np.zeros(len(regions), bool), 0
    for receipt in receipts:
        number = regions.number(receipt.region)
        if number is not None and not done[number]:
            done[number] = True
            clipped += int(receipt.values["clipped"])
    return done, clipped


@contextmanager
def sealing(work: Work) -> Iterator[int | None]:
    """While nobody else may seal: how many values were clipped; None where regions are missing."""
    with locked(work.job.folder):
        done, clipped = done_of(work.plan.regions, Ledger(work.job.folder).receipts())
        yield clipped if done.all() and work.job.store.exists() else None


def carried_nifti(work: Work) -> dict[str, Any]:
    """The NIfTI attributes of the source, where the whole image is translated."""
    fields = work.image.attributes.get("nifti")
    t, _, z, y, x = work.image.shape
    shape = work.job.spec.layout.shape
    if not fields or (shape[0], shape[2], shape[3], shape[4]) != (t, z, y, x):
        return {}
    return {"nifti": fields}


def _rejoin(work: Work, options: TranslateOptions) -> Iterable[Receipt]:
    job, ledger = work.job, Ledger(work.job.folder)
    if options.part and not options.resume:
        return ledger.receipts()
    if isinstance(job.error_target, Path) and job.error_target.is_dir():
        # Sealed just before the interruption: it becomes unfinished again.
        unfinished = partial_folder(job.error_target)
        unfinished.mkdir(exist_ok=True)
        os.rename(job.error_target, unfinished / STORE)
    if not options.part:
        sweep(job.folder)
    return ledger.verified(job.root)


def _progress(work: Work) -> dict[str, Any]:
    return {"command": work.command, "regions": len(work.plan.regions)}


def _nifti_header(image: Image) -> npt.NDArray[Any] | None:
    header = image.group.get("nifti")
    return np.asarray(header[...]) if isinstance(header, zarr.Array) else None
