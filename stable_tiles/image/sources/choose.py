"""`open_source`: the reader for a file, chosen by what the file starts with, not by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stable_tiles.errors import InputError, NotAnImage, StoreNotFound
from stable_tiles.image.sources.assemble import StackSource
from stable_tiles.image.sources.nifti import NiftiSource, is_nifti, peek
from stable_tiles.image.sources.omezarr import StoreSource
from stable_tiles.image.sources.picture import JPEG_SIGNATURE, PNG_SIGNATURE, PictureSource
from stable_tiles.image.sources.slide import SUFFIXES, SlideSource
from stable_tiles.image.sources.source import Source, SourceOptions
from stable_tiles.image.sources.tiff import TiffSource

_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_DICOM_AT, _DICOM_SIGNATURE = 128, b"DICM"
_ZIP_SIGNATURE = b"PK\x03\x04"
_NOTHING_SAID = SourceOptions()


def open_source(paths: Sequence[Path | str], options: SourceOptions = _NOTHING_SAID) -> Source:
    """An open source of one or several paths.

    Parameters
    ----------
    paths : sequence of Path or str
        One file, store or store's URL; or several files of one shape, which
        `options.stack` says how to stack.
    options : SourceOptions
        What the files do not say.

    Raises
    ------
    StoreNotFound
        If a path does not exist.
    NotAnImage
        If a file is of no format that is read here, damaged or truncated.
    MissingExtra
        If its format needs a package that is not installed.
    InputError
        If the options do not fit the files.
    """
    if not paths:
        raise InputError("no source was given")
    if len(paths) == 1:
        return _open_one(paths[0], options)
    if options.stack is None:
        raise InputError(f"{len(paths)} sources make one image only with --stack t or --stack z")
    single = replace(options, stack=None)
    return StackSource(
        [Path(path) for path in paths], options.stack, lambda path: _open_one(path, single)
    )


def _open_one(path: Path | str, options: SourceOptions) -> Source:
    if "://" in str(path):
        return StoreSource(path)
    path = Path(path)
    if not path.exists():
        raise StoreNotFound(f"no file {path}: check the path")
    if path.is_dir():
        return StoreSource(path)
    head = _head(path)
    if head.startswith(_TIFF_SIGNATURES):
        return TiffSource(path, options)
    if head.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
        return PictureSource(path)
    if is_nifti(peek(path, 348)):
        return NiftiSource(path, options)
    if path.suffix.lower() in SUFFIXES or head[_DICOM_AT:].startswith(_DICOM_SIGNATURE):
        return SlideSource(path)
    if head.startswith(_ZIP_SIGNATURE):
        raise NotAnImage(f"{path.name} is a ZIP archive: unpack it first")
    raise NotAnImage(
        f"{path.name} is of no format that is read here (TIFF, PNG, JPEG, NIfTI, DICOM, MRXS, "
        "OME-Zarr): save it as OME-TIFF"
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_DICOM_AT + len(_DICOM_SIGNATURE))
    except OSError as error:
        raise StoreNotFound(f"{path} cannot be read: {error.strerror}") from None
    if not head:
        raise NotAnImage(f"{path.name} is empty")
    return head
