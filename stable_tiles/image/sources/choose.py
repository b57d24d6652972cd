"""`open_source`: the reader for a file, chosen by what the file starts with, not by its name."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stable_tiles.errors import InputError, MissingExtra, NotAnImage, StoreNotFound, first_line
from stable_tiles.image.sources.assemble import StackSource
from stable_tiles.image.sources.bio import PLUGINS, BioSource
from stable_tiles.image.sources.nifti import NiftiSource, is_nifti, peek
from stable_tiles.image.sources.omezarr import StoreSource, zipped_store
from stable_tiles.image.sources.picture import JPEG_SIGNATURE, PNG_SIGNATURE, PictureSource
from stable_tiles.image.sources.slide import SUFFIXES, SlideSource
from stable_tiles.image.sources.source import Source, SourceOptions, SourceWarning
from stable_tiles.image.sources.tiff import TiffSource

_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_DICOM_AT, _DICOM_SIGNATURE = 128, b"DICM"
_ZIP_SIGNATURE = b"PK\x03\x04"
_STORE_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
_FRAME_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg"})
_NOTHING_SAID = SourceOptions()


def open_source(paths: Sequence[Path | str], options: SourceOptions = _NOTHING_SAID) -> Source:
    """An open source of one or several paths.

    Parameters
    ----------
    paths : sequence of Path or str
        One file, store (a folder or a ZIP archive of it) or store's URL; or
        several files of one shape, or a folder of them, which `options.stack`
        says how to stack (a folder's in the order of the numbers in their names).
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
    return _open_folder(path, options) if path.is_dir() else _open_file(path, options)


def _open_file(path: Path, options: SourceOptions) -> Source:
    head = _head(path)
    if head[_DICOM_AT:].startswith(_DICOM_SIGNATURE):
        return _open_dicom(path, options, head.startswith(_TIFF_SIGNATURES))
    if head.startswith(_TIFF_SIGNATURES):
        return TiffSource(path, options)
    if head.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
        return PictureSource(path)
    if is_nifti(peek(path, 348)):
        return NiftiSource(path, options)
    suffix = path.suffix.lower()
    if suffix in SUFFIXES or suffix in PLUGINS:
        return SlideSource(path) if suffix in SUFFIXES else BioSource(path, options)
    if head.startswith(_ZIP_SIGNATURE):
        return StoreSource(zipped_store(path), archive=path)
    raise NotAnImage(
        f"{path.name} is of no format that is read here (TIFF, PNG, JPEG, NIfTI, DICOM, MRXS, "
        "OME-Zarr): save it as OME-TIFF"
    )


def _open_dicom(path: Path, options: SourceOptions, is_tiff: bool) -> Source:
    """A DICOM slide; one that is a TIFF at the same time can be read as that too."""
    try:
        return SlideSource(path)
    except (MissingExtra, NotAnImage) as error:
        if not is_tiff:
            raise
        warnings.warn(
            f"{path.name} is read as the TIFF that it also is, its pixel size may be rounded: "
            f"{first_line(error)}",
            SourceWarning,
            stacklevel=2,
        )
        return TiffSource(path, options)


def _open_folder(path: Path, options: SourceOptions) -> Source:
    """A store, or the frames of a folder as one image."""
    if any((path / name).exists() for name in _STORE_FILES):
        _refuse_bare_array(path)
        return StoreSource(path)
    frames = sorted((f for f in path.iterdir() if _is_frame(f)), key=_natural)
    if not frames:
        raise NotAnImage(
            f"{path.name} is a folder without an OME-Zarr image and without frames "
            f"({', '.join(sorted(_FRAME_SUFFIXES))})"
        )
    if options.stack is None:
        raise InputError(
            f"{path.name} is a folder of {len(frames)} frames: add --stack t or --stack z"
        )
    single = replace(options, stack=None)
    return StackSource(frames, options.stack, lambda frame: _open_one(frame, single))


def _refuse_bare_array(path: Path) -> None:
    """A Zarr array alone does not say what its dimensions are."""
    described = path / "zarr.json"
    text = described.read_bytes() if described.is_file() else b""
    if (path / ".zarray").exists() or b'"array"' in text:
        raise NotAnImage(
            f"{path.name} is a Zarr array without OME-Zarr metadata: give the group of an image"
        )


def _is_frame(path: Path) -> bool:
    return path.suffix.lower() in _FRAME_SUFFIXES and path.name[0] != "." and path.is_file()


def _natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts frame 2 before frame 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_DICOM_AT + len(_DICOM_SIGNATURE))
    except OSError as error:
        raise StoreNotFound(f"{path} cannot be read: {error.strerror}") from None
    if not head:
        raise NotAnImage(f"{path.name} is empty")
    return head
