"""Source: what a file to be converted is, and how its pixels are read region by region.

Whatever the format, a source speaks of the canonical five dimensions
(t, c, z, y, x), and may be read from several threads at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import ORDER, Axes
from stable_tiles.image.ngff import RGB_CHANNELS, Channel
from stable_tiles.region import Region

Pixels = npt.NDArray[Any]
Shape5 = tuple[int, int, int, int, int]

_CYCLE = ("0000FF", "00FF00", "FF0000", "FF00FF", "00FFFF", "FFFF00", "FFFFFF")


class SourceWarning(UserWarning):
    """Something about a source that its owner should know; the conversion goes on."""


@dataclass(frozen=True)
class SourceOptions:
    """What a caller says about files that do not say it themselves.

    Parameters
    ----------
    series : int or None
        Which image of a file that holds several; by default the main one.
    axes : str or None
        Meaning of the dimensions longer than 1, such as ``tyx``.
    stack : "t", "z" or None
        Axis along which several files of one shape are stacked.
    scratch : Path or None
        Existing folder for temporary pixels (a gzip stream cannot be entered
        in the middle); the system's own by default.
    """

    series: int | None = None
    axes: str | None = None
    stack: Literal["t", "z"] | None = None
    scratch: Path | None = None


@dataclass(frozen=True)
class NiftiHeader:
    """What a NIfTI file says beside its pixels.

    Parameters
    ----------
    raw : bytes
        The header as it stands in the file: 348 bytes (NIfTI-1) or 540 (NIfTI-2).
    fields : dict
        Its fields, the affine and its units, as JSON.
    slope, inter : float
        A voxel's value is ``stored * slope + inter``.
    """

    raw: bytes
    fields: dict[str, Any]
    slope: float = 1.0
    inter: float = 0.0


@dataclass(frozen=True)
class Description:
    """What a source holds; known before any pixel is decoded.

    Parameters
    ----------
    axes : Axes
        The axes longer than 1 and y and x, with scales and units where the file knows them.
    shape : tuple of int, (t, c, z, y, x)
        Canonical shape of level 0.
    dtype : numpy dtype
        Dtype of the pixels, native byte order.
    channels : tuple of Channel
        One for each channel.
    is_rgb : bool
        Whether the channels are red, green and blue of a colour image.
    is_labels : bool
        Whether the pixels are object numbers.
    metadata : dict
        What else is known (format, objective), as JSON; no paths, no persons.
    original : dict
        All that the file says of itself, as JSON; persons may be named in it.
    nifti : NiftiHeader or None
        The header of a NIfTI source.
    streamed : bool
        Whether pixels come from a stream that is known to be long enough and is
        read from its start: whatever is asked for first, all before it is read.
    files : tuple of Path
        Files that hold the pixels; empty for a store.
    bytes_in : int
        Their size.
    """

    axes: Axes
    shape: Shape5
    dtype: np.dtype[Any]
    channels: tuple[Channel, ...]
    is_rgb: bool = False
    is_labels: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    original: dict[str, Any] = field(default_factory=dict)
    nifti: NiftiHeader | None = None
    streamed: bool = False
    files: tuple[Path, ...] = ()
    bytes_in: int = 0


class Source(Protocol):
    """An open source; safe to read from several threads."""

    @property
    def description(self) -> Description:
        """What the source holds."""

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x) of the source's dtype.

        Raises
        ------
        WorkFailed
            If pixels cannot be decoded; the line names the file and the place.
        """

    def associated(self) -> dict[str, Pixels]:
        """Label, macro and thumbnail images by name, each (c, y, x); mostly none."""

    def close(self) -> None:
        """Release the files."""


@dataclass(frozen=True)
class Calibration:
    """Physical sizes and channels as a file states them; what it does not state is absent."""

    scale: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str | None] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


def axes_of(shape: Shape5, calibration: Calibration) -> Axes:
    """The axes of an image of this shape: those longer than 1, and y and x."""
    names = "".join(
        name for name, size in zip(ORDER, shape, strict=True) if size > 1 or name in "yx"
    )
    scale = {name: step for name, step in calibration.scale.items() if name in names}
    units = {name: unit for name, unit in calibration.units.items() if name in names}
    return Axes.named(names, scale, units)


def channels_of(count: int, is_rgb: bool, named: tuple[Channel, ...] = ()) -> tuple[Channel, ...]:
    """The channels a file names, or red, green and blue, or numbered ones in different colours."""
    if is_rgb:
        return RGB_CHANNELS
    if len(named) == count:
        return named
    if count == 1:
        return (Channel("channel 0"),)
    return tuple(Channel(f"channel {i}", _CYCLE[i % len(_CYCLE)]) for i in range(count))
