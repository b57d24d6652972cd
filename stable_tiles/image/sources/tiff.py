"""TiffSource: every file of the TIFF family, by tifffile.

This module knows what the dimensions of a series mean; how a page is cut into
segments is known to `segments`, what a dialect states to `calibration`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from stable_tiles.errors import InputError, NotAnImage, first_line
from stable_tiles.image.sources.calibration import calibration_of
from stable_tiles.image.sources.original import original_metadata
from stable_tiles.image.sources.segments import Segments
from stable_tiles.image.sources.source import (
    Description,
    Pixels,
    Shape5,
    SourceOptions,
    SourceWarning,
    axes_of,
    channels_of,
)
from stable_tiles.region import Region

DEFAULT_AXIS = "t"
"""What the pages of a plain multi-page TIFF are taken for where nothing says: frames of a movie."""

_ROLES = {"T": "t", "Z": "z", "C": "c", "S": "c", "E": "c"}
_SLIDES = {"svs", "ndpi", "qpi", "scn", "bif", "philips"}
_ALPHA = {1, 2}
_RGB, _YCBCR, _PALETTE, _MINISWHITE = 2, 6, 3, 0
_JPEG = {6, 7, 34892, 33007}
_APERIO_YCBCR = 33003


class TiffSource:
    """One series of a TIFF file.

    Parameters
    ----------
    path : Path
        The file.
    options : SourceOptions
        Which series, and what its axes mean where the file does not say.

    Raises
    ------
    NotAnImage
        If the file cannot be read or is truncated.
    InputError
        If `options` do not fit the file.
    """

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self._path = path
        try:
            with tifffile.TiffFile(path) as tiff:
                self._open(tiff, options)
        except (NotAnImage, InputError):
            raise
        except Exception as error:
            # tifffile lets many kinds of errors through on damaged files.
            raise NotAnImage(
                f"{path.name} is not a TIFF that can be read: {first_line(error)}"
            ) from error

    @property
    def description(self) -> Description:
        """What the series holds."""
        return self._description

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x)."""
        ts, zs, rows, columns = region.slices
        planes = self._planes[ts, :, zs]
        shape = (*planes.shape, *region.shape[2:])
        samples = self._segments.samples
        first = int(planes.flat[0])
        if first % samples == 0 and np.array_equal(planes.ravel(), range(first, first + samples)):
            box = self._segments.box(first // samples, rows, columns)
            planar = np.ascontiguousarray(box.transpose(2, 0, 1), self._description.dtype)
            return planar.reshape(shape)
        block = np.empty(shape, self._description.dtype)
        for t, z in np.ndindex(planes.shape[0], planes.shape[2]):
            wanted = planes[t, :, z]
            if samples == 1:
                for c, plane in enumerate(wanted.tolist()):
                    self._segments.box(plane, rows, columns, block[t, c, z, :, :, None])
                continue
            for plane in dict.fromkeys((wanted // samples).tolist()):
                box = self._segments.box(plane, rows, columns)
                for c in np.flatnonzero(wanted // samples == plane).tolist():
                    block[t, c, z] = box[..., wanted[c] % samples]
        return block

    def associated(self) -> dict[str, Pixels]:
        """Label, macro and thumbnail of a slide by name, each (c, y, x)."""
        with tifffile.TiffFile(self._path) as tiff:
            if tiff.series[self._index].kind not in _SLIDES:
                return {}
            images = {}
            for series in tiff.series:
                if series.name in {"Label", "Macro", "Thumbnail", "Map"}:
                    pixels = np.atleast_3d(series.asarray())
                    images[series.name.lower()] = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
            return images

    def close(self) -> None:
        """Close the files."""
        self._segments.close()

    def _open(self, tiff: tifffile.TiffFile, options: SourceOptions) -> None:
        name = self._path.name
        self._index = _choose(tiff, options.series, name)
        series = tiff.series[self._index]
        _refuse_unsupported(series, name)
        self._planes = _planes(series, options.axes, name)
        self._segments = Segments(series, name)
        calibration = calibration_of(tiff, self._index)
        t, c, z = self._planes.shape
        shape: Shape5 = (t, c, z, series.keyframe.imagelength, series.keyframe.imagewidth)
        is_rgb = c == 3 and _is_color(series.keyframe)
        dtype = np.dtype(np.uint8) if series.dtype.kind == "b" else series.dtype.newbyteorder("=")
        files = self._segments.files
        self._description = Description(
            axes=axes_of(shape, calibration),
            shape=shape,
            dtype=dtype,
            channels=channels_of(c, is_rgb, calibration.channels),
            is_rgb=is_rgb,
            metadata=dict(calibration.metadata),
            original=original_metadata(series),
            files=files,
            bytes_in=sum(file.stat().st_size for file in files),
        )


def _choose(tiff: tifffile.TiffFile, index: int | None, name: str) -> int:
    """The series that was asked for, or the main one: the first of OME-TIFF, else the largest."""
    count = len(tiff.series)
    if not count:
        raise NotAnImage(f"{name} holds no image")
    if index is not None:
        if not 0 <= index < count:
            raise InputError(
                f"{name} holds {count} images: --series {index} is not in 0..{count - 1}"
            )
        return index
    areas = [s.keyframe.imagelength * s.keyframe.imagewidth for s in tiff.series]
    chosen = 0 if tiff.series[0].kind == "ome" else areas.index(max(areas))
    if count > 1 and tiff.series[chosen].kind not in _SLIDES:
        sizes = ", ".join("x".join(map(str, s.shape)) for s in tiff.series[:4])
        warnings.warn(
            f"{name} holds {count} images ({sizes}{', ...' if count > 4 else ''}): "
            f"image {chosen} is converted. Use --series N for another",
            SourceWarning,
            stacklevel=2,
        )
    return chosen


def _refuse_unsupported(series: tifffile.TiffPageSeries, name: str) -> None:
    page = series.keyframe
    if series.transform is not None:
        raise NotAnImage(f"{name} stores transformed values ({series.kind}): it is not supported")
    if series.dtype.kind not in "uifb":
        raise NotAnImage(f"{name} holds {series.dtype} pixels: only real numbers are images")
    if page.compression == _APERIO_YCBCR:
        raise NotAnImage(f"{name} is JPEG 2000 in YCbCr (Aperio 33003): it is not supported")
    if page.photometric in {_PALETTE, _MINISWHITE} and series.kind != "imagej":
        what = "indices into a palette" if page.photometric == _PALETTE else "0 for white"
        warnings.warn(f"{name} stores {what}: kept as stored", SourceWarning, stacklevel=2)


def _is_color(page: tifffile.TiffPage) -> bool:
    converted = page.photometric == _YCBCR and page.compression in _JPEG
    return page.samplesperpixel >= 3 and (page.photometric == _RGB or converted)


def _planes(series: tifffile.TiffPageSeries, said: str | None, name: str) -> npt.NDArray[np.int64]:
    """For every (t, c, z) the number of its sample, counted through planes and their samples.

    The union of all entries is every sample of the series once, without the
    alpha channel.
    """
    shape, letters = series.get_shape(False), series.get_axes(False)
    y = letters.find("YX")
    if said is not None and y < 0:
        y = len(letters.rstrip("S")) - 2
    if y < 0 or letters[y + 2 :] not in {"", "S"}:
        raise NotAnImage(
            f"{name} has the axes {letters}, its pages are not (y, x): say what they are with "
            "--axes, such as zyx"
        )
    letters = letters[:y] + letters[y + 2 :]
    sizes = shape[:y] + shape[y + 2 :]
    order: npt.NDArray[np.int64] = np.arange(int(np.prod(sizes)), dtype=np.int64).reshape(sizes)
    order = _without_alpha(order, letters, series.keyframe, name)
    kept = [i for i, size in enumerate(order.shape) if size > 1]
    order = order.reshape([order.shape[i] for i in kept])
    left = "".join(letters[i] for i in kept)
    if said is None:
        roles = _roles(left, order.shape, name)
    else:
        order, roles = _as_said(order, left, said, name)
    ranked = sorted(range(len(roles)), key=lambda i: "tcz".index(roles[i]))
    counts = [
        int(np.prod([size for role, size in zip(roles, order.shape, strict=True) if role == axis]))
        for axis in "tcz"
    ]
    return order.transpose(ranked).reshape(counts)


def _without_alpha(
    order: npt.NDArray[np.int64], letters: str, page: tifffile.TiffPage, name: str
) -> npt.NDArray[np.int64]:
    """The samples without a trailing alpha channel."""
    extra = page.extrasamples
    if not extra or int(extra[-1]) not in _ALPHA or "S" not in letters:
        return order
    warnings.warn(f"{name}: its alpha channel is dropped", SourceWarning, stacklevel=2)
    axis = letters.index("S")
    return np.take(order, range(order.shape[axis] - 1), axis)


def _roles(letters: str, sizes: tuple[int, ...], name: str) -> str:
    """What each dimension longer than 1 means: one of t, c, z for each letter."""
    unknown = [letter for letter in letters if letter not in _ROLES]
    free = [axis for axis in (DEFAULT_AXIS, "z") if axis.upper() not in letters]
    if len(unknown) > 1 or (unknown and not free):
        raise InputError(
            f"{name} does not say what its dimensions {_times(sizes)} mean: pass --axes, "
            "such as tzyx, or with lengths, such as z4c3yx"
        )
    if unknown:
        count = sizes[letters.index(unknown[0])]
        warnings.warn(
            f"{name} does not say what its {count} planes are: taken as {free[0]}. "
            "Pass --axes zyx, tyx or cyx to say it",
            SourceWarning,
            stacklevel=2,
        )
    return "".join(_ROLES.get(letter, free[0] if free else "") for letter in letters)


def _as_said(
    order: npt.NDArray[np.int64], letters: str, said: str, name: str
) -> tuple[npt.NDArray[np.int64], str]:
    """The samples in the dimensions that ``--axes`` names, and what each of these means.

    Lengths part what the file holds as one (``z4c3yx``, of which one length may
    be missing).  What begins with xy is OME's way to write it, fastest first.
    """
    color = letters.endswith("S")
    text = said.lower().replace("s", "c")
    if text.startswith("xy"):
        text = "".join(reversed(re.findall(r"[a-z]\d*", text[2:]))) + "yx"
    match = re.fullmatch(r"((?:[tcz]\d*)*)yx(c?)", text)
    named = re.findall(r"([tcz])(\d*)", match[1]) if match else []
    pages = order.shape[:-1] if color else order.shape
    sizes = _parted([int(length or 0) for _, length in named], pages)
    roles = "".join(role for role, _ in named) + ("c" if color else "")
    misplaced = not match or (match[2] and not color) or len(set(roles)) < len(roles)
    if sizes is None or misplaced:
        raise InputError(
            f"--axes {said} does not fit {name}, whose dimensions are {_times(order.shape)}: name "
            f"{len(pages)} of t, c, z, then yx; or part a dimension by lengths, such as z4c3yx"
        )
    return order.reshape((*sizes, *order.shape[len(pages) :])), roles


def _parted(wanted: Sequence[int], found: tuple[int, ...]) -> tuple[int, ...] | None:
    """Lengths of the dimensions that are wanted, 0 where not said; None if they do not fit."""
    if len(wanted) == len(found) and all(a in (0, b) for a, b in zip(wanted, found, strict=True)):
        return found
    known, total = prod(n for n in wanted if n), prod(found)
    if wanted.count(0) > 1 or total % known or (0 not in wanted and known != total):
        return None
    return tuple(n or total // known for n in wanted)


def _times(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, (*sizes, "y", "x")))
