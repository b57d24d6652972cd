"""Options of an export, and which file a name asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stable_tiles.errors import InputError

Kind = Literal["ome-tiff", "tiff", "nifti"]

TiffCodec = Literal["deflate", "lzw", "zstd", "none"]

_SUFFIXES: tuple[tuple[str, Kind], ...] = (
    (".ome.tif", "ome-tiff"),
    (".ome.tiff", "ome-tiff"),
    (".tif", "tiff"),
    (".tiff", "tiff"),
    (".nii", "nifti"),
    (".nii.gz", "nifti"),
)


@dataclass(frozen=True)
class ExportOptions:
    """Everything that an export can be told.

    Parameters
    ----------
    codec : "deflate", "lzw", "zstd" or "none"
        Compression of a TIFF's tiles, always lossless; zstd is smaller and
        faster, but not every reader knows it.
    overwrite, dry_run : bool
        Whether a file of that name is replaced; whether only to plan.
    """

    codec: TiffCodec = "deflate"
    overwrite: bool = False
    dry_run: bool = False


def kind_of(target: Path) -> Kind:
    """The kind of file that a name asks for.

    Raises
    ------
    InputError
        If its suffix asks for none.
    """
    name = target.name.lower()
    for suffix, kind in _SUFFIXES:
        if name.endswith(suffix):
            return kind
    raise InputError(
        f"{target.name} names no format to export to: use .ome.tif, .tif, .nii.gz or .nii"
    )
