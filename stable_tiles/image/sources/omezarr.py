"""StoreSource: another OME-Zarr image, to be laid out anew."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import zarr

from stable_tiles.errors import NotAnImage, WorkFailed, first_line
from stable_tiles.image.ngff import RGB_CHANNELS
from stable_tiles.image.sources.original import plain_json
from stable_tiles.image.sources.source import Description, NiftiHeader, Pixels, SourceWarning
from stable_tiles.image.store import ATTRIBUTE, Image, open_image
from stable_tiles.region import Region
from stable_tiles.remote.location import Location, files_of, locate

MAX_MEMBER_BYTES = 2**28
"""Largest compressed file of an archive: it is inflated whole for any part of it."""

_DAMAGED = (zipfile.BadZipFile, zlib.error)

_GROUP_FILES = frozenset({"zarr.json", ".zgroup"})


class StoreSource:
    """Level 0 of an OME-Zarr image (NGFF 0.4 or 0.5).

    Parameters
    ----------
    path : path or str
        The store, or its URL.
    archive : Path or None
        The ZIP archive that it lies in.

    Raises
    ------
    StoreNotFound, NotAnImage
        As `open_image`.
    """

    def __init__(self, path: str | Path, archive: Path | None = None) -> None:
        where = locate(path)
        self._name = archive.name if archive else where.name
        try:
            self._image = open_image(path)
        except NotAnImage as error:
            raise NotAnImage(str(error).replace(str(path), self._name)) from None
        except (TypeError, *_DAMAGED) as error:  # a TypeError is what Zarr says of unknown dtypes
            raise NotAnImage(f"{self._name} has damaged metadata: {first_line(error)}") from None
        image = self._image
        files = () if archive is None else (archive,)
        channels = RGB_CHANNELS if image.is_rgb else image.channels
        if archive is None and "://" not in str(path):
            _warn_of_empty(image)
        self._description = Description(
            axes=image.axes,
            shape=image.shape,
            dtype=image.dtype.newbyteorder("="),
            channels=channels,
            is_rgb=image.is_rgb,
            is_labels=image.attributes.get("kind") == "labels",
            metadata={"format": f"ome-zarr {image.multiscale.version}", "digest": image.digest()},
            original=_original(image),
            nifti=nifti_of(image),
            files=files,
            bytes_in=archive.stat().st_size if archive else _bytes(where),
        )

    @property
    def description(self) -> Description:
        """What the store holds."""
        return self._description

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x)."""
        try:
            block = self._image.read(region)
        except _DAMAGED as error:
            raise WorkFailed(f"{self._name} is damaged: {first_line(error)}") from error
        return block.astype(self._description.dtype, copy=False)

    def associated(self) -> dict[str, Pixels]:
        """None: labels and other images of the store are not copied."""
        return {}

    def close(self) -> None:
        """Nothing is held open."""


def _warn_of_empty(image: Image) -> None:
    """A store whose chunks were lost reads as one value, without an error."""
    described = {".zarray", ".zattrs", "zarr.json"}
    if all(name in described for name, _ in files_of(image.location / image.multiscale.paths[0])):
        warnings.warn(
            f"{image.name} stores no chunk of its level 0: every pixel reads as the fill value",
            SourceWarning,
            stacklevel=2,
        )


def zipped_store(path: Path) -> str:
    """The URL of the store in a ZIP archive: the uppermost group in it.

    Raises
    ------
    NotAnImage
        If the archive is damaged or holds no Zarr group.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise NotAnImage(f"{path.name} is a damaged ZIP archive: {first_line(error)}") from None
    largest = max(
        (m.file_size for m in members if m.compress_type != zipfile.ZIP_STORED), default=0
    )
    if largest > MAX_MEMBER_BYTES:
        raise NotAnImage(
            f"{path.name} holds a compressed file of {largest >> 20} MiB (at most "
            f"{MAX_MEMBER_BYTES >> 20}): unpack it first"
        )
    paths = [PurePosixPath(member.filename) for member in members]
    groups = [path.parent for path in paths if path.name in _GROUP_FILES]
    if not groups:
        raise NotAnImage(f"{path.name} is a ZIP archive without an OME-Zarr image")
    root = min(groups, key=lambda group: len(group.parts))
    return f"zip://{'' if root == PurePosixPath('.') else root}::{path.resolve()}"


def _bytes(where: Location) -> int:
    return sum(entry.bytes for _, entry in files_of(where))


def _original(image: Image) -> dict[str, Any]:
    """The attributes that other programs left, or what an earlier conversion kept of them."""
    kept = image.attributes.get("original")
    if isinstance(kept, dict):
        return kept
    found = plain_json(image.group.attrs.asdict())
    return {name: value for name, value in found.items() if name != ATTRIBUTE}


def nifti_of(image: Image) -> NiftiHeader | None:
    """The NIfTI header that an earlier conversion kept, with the scaling of the store's own pixels.

    A translation has none: its pixels are values of the target domain.
    """
    fields = image.attributes.get("nifti")
    array = image.group.get("nifti")
    if not isinstance(fields, dict) or not isinstance(array, zarr.Array):
        return None
    intensity = image.attributes.get("intensity", {})
    return NiftiHeader(
        np.asarray(array[:]).tobytes(),
        fields,
        float(intensity.get("scl_slope", 1.0)),
        float(intensity.get("scl_inter", 0.0)),
    )
