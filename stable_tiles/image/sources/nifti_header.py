"""NIfTI headers: from bytes and back, cut to a part of the image, told as JSON.

The bytes of a header are the truth; whoever changes one gets new bytes in the
same version and byte order.
"""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from stable_tiles.image.sources.source import NiftiHeader
from stable_tiles.region import Region

VERSIONS = {348: (1, nibabel.Nifti1Header), 540: (2, nibabel.Nifti2Header)}
"""Version and class of a header by its size, bytes."""


def parse_header(raw: bytes) -> Any:
    """The nibabel header that the bytes are, unchecked.

    Raises
    ------
    KeyError
        If no version of NIfTI has headers of that size.
    """
    return VERSIONS[len(raw)][1](raw, check=False)  # type: ignore[no-untyped-call]  # nibabel is untyped


def kept_header(header: Any) -> NiftiHeader:
    """What is kept of a nibabel header: its bytes, and what they say as JSON."""
    raw = bytes(header.binaryblock)
    slope, inter = header.get_slope_inter()
    fields = {
        "version": VERSIONS[len(raw)][0],
        "affine": _plain(header.get_best_affine()),
        "units": list(header.get_xyzt_units()),
        "header": {name: _plain(header[name]) for name in header.keys()},  # noqa: SIM118  # no mapping
    }
    return NiftiHeader(
        raw, fields, 1.0 if slope is None else float(slope), 0.0 if inter is None else float(inter)
    )


def cut_header(kept: NiftiHeader, part: Region) -> NiftiHeader:
    """The header of a part (y, x) of an image: every voxel keeps its place in space."""
    header = parse_header(kept.raw)
    (y, x), (rows, columns) = part.start, part.shape
    header["dim"][1:3] = columns, rows
    corner = np.array([x, y, 0.0])
    if header["sform_code"] > 0:
        for axis, offset in zip("xyz", _moved(header.get_sform(), corner), strict=True):
            header[f"srow_{axis}"][3] = offset
    if header["qform_code"] > 0:
        for axis, offset in zip("xyz", _moved(header.get_qform(), corner), strict=True):
            header[f"qoffset_{axis}"] = offset
    return kept_header(header)


def _moved(place: npt.NDArray[Any], corner: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Where an affine puts a voxel."""
    moved: npt.NDArray[Any] = place[:3, :3] @ corner + place[:3, 3]
    return moved


def _plain(value: Any) -> Any:
    """A header field as JSON; what is not finite becomes null."""
    array = np.asarray(value)
    if array.dtype.kind == "S":
        return bytes(array.tobytes()).rstrip(b"\0").decode("latin-1")
    if array.ndim:
        return [_plain(item) for item in array]
    plain = array.item()
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain
