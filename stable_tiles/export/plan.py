"""Plan of an export: which file, and what it will cost, before anything is written."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from stable_tiles.errors import InputError
from stable_tiles.export.options import ExportOptions, Kind, kind_of
from stable_tiles.export.slabs import SLAB_BYTES
from stable_tiles.image.store import Image, Level

_BASE_BYTES = 300 * 2**20
_COPIES = 4

_OME_DTYPES = frozenset(
    ("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64")
)
_NIFTI_DTYPES = (_OME_DTYPES | {"int64", "uint64"}) - {"bool"}


@dataclass(frozen=True)
class ExportPlan:
    """What an export will do.

    Parameters
    ----------
    image : Image
        The store.
    kind : "ome-tiff", "tiff" or "nifti"
        What is written: ``tiff`` is one plane with its pyramid as further pages.
    target : Path
        The file.
    levels : tuple of Level
        The levels that are written.
    """

    image: Image
    kind: Kind
    target: Path
    levels: tuple[Level, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the file's pixels: the store's, and bytes for truth values."""
        dtype = self.image.dtype
        return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")

    @property
    def bytes_raw(self) -> int:
        """Bytes of all pixels that are written, uncompressed."""
        return sum(prod(level.shape) for level in self.levels) * self.dtype.itemsize

    @property
    def memory_bytes(self) -> int:
        """Upper estimate of the memory."""
        return _BASE_BYTES + _COPIES * min(SLAB_BYTES, max(self.bytes_raw, 1))


def plan_export(image: Image, target: Path, options: ExportOptions) -> ExportPlan:
    """The plan for a store and a file name.

    Raises
    ------
    InputError
        If the file cannot hold such an image, or the disk cannot hold the file.
    """
    kind = kind_of(target)
    t, c, z, *_ = image.shape
    if kind == "tiff" and t * z * (1 if image.is_rgb else c) > 1:
        kind = "ome-tiff"  # what the planes are can only be said there
    _refuse_dtype(image, kind, target)
    plan = ExportPlan(image, kind, target, _levels(image) if kind != "nifti" else image.levels[:1])
    _refuse_full_disk(plan, options)
    return plan


def _levels(image: Image) -> tuple[Level, ...]:
    """The levels that are smaller in y and x only: a pyramid of pages knows no others."""
    first = image.shape[:3]
    return tuple(level for level in image.levels if level.shape[:3] == first)


def _refuse_dtype(image: Image, kind: Kind, target: Path) -> None:
    allowed = _NIFTI_DTYPES if kind == "nifti" else _OME_DTYPES
    if kind != "tiff" and image.dtype.name not in allowed:
        raise InputError(
            f"{target.name} cannot hold {image.dtype.name} pixels "
            f"(it can {', '.join(sorted(allowed))}): export to another format"
        )


def _refuse_full_disk(plan: ExportPlan, options: ExportOptions) -> None:
    folder = next(p for p in plan.target.absolute().parents if p.is_dir())
    free = shutil.disk_usage(folder).free
    if free >= plan.bytes_raw:
        return
    text = f"{free >> 20} MiB are free for {plan.bytes_raw >> 20} MiB"
    name = plan.target.name.lower()
    packed = name.endswith(".gz") or (plan.kind != "nifti" and options.codec != "none")
    if not packed:
        raise InputError(f"{text}: make room, or export compressed")
    warnings.warn(f"{text} before compression: it may not fit", UserWarning, stacklevel=2)
