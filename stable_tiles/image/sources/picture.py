"""PictureSource: PNG and JPEG, which decode only as a whole.

The size is read from the header first, so a picture that would not fit into
memory is refused before it is decoded.
"""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from threading import Lock

import imagecodecs
import numpy as np

from stable_tiles.errors import NotAnImage, WorkFailed, first_line
from stable_tiles.image.sources.source import (
    Calibration,
    Description,
    Pixels,
    SourceWarning,
    axes_of,
    channels_of,
)
from stable_tiles.region import Region
from stable_tiles.usage import decodable_bytes

MAX_DECODED_BYTES = 2 * 2**30
"""Largest picture that is decoded; TIFF is the format for more."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"

_PNG_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_PALETTE = 3
_HEADER_BYTES = 2**20


class PictureSource:
    """One PNG or JPEG file.

    Raises
    ------
    NotAnImage
        If its header cannot be read or it would decode to more than `MAX_DECODED_BYTES`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pixels: Pixels | None = None
        self._lock = Lock()
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
        png = head.startswith(PNG_SIGNATURE)
        height, width, samples, dtype = _png_size(head, path) if png else _jpeg_size(head, path)
        decoded = height * width * samples * dtype.itemsize
        if decoded > (most := decodable_bytes(MAX_DECODED_BYTES)):
            raise NotAnImage(
                f"{path.name} decodes to {decoded >> 20} MiB (at most {most >> 20}): "
                "save it as a tiled TIFF"
            )
        self._samples = {2: 1, 4: 3}.get(samples, samples) if png else samples
        if self._samples != samples:
            text = f"{path.name}: its alpha channel is dropped"
            warnings.warn(text, SourceWarning, stacklevel=2)
        shape = (1, self._samples, 1, height, width)
        is_rgb = self._samples == 3
        self._description = Description(
            axes=axes_of(shape, Calibration()),
            shape=shape,
            dtype=dtype,
            channels=channels_of(self._samples, is_rgb),
            is_rgb=is_rgb,
            metadata={"format": "png" if png else "jpeg"},
            files=(path,),
            bytes_in=path.stat().st_size,
        )

    @property
    def description(self) -> Description:
        """What the picture holds."""
        return self._description

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x)."""
        with self._lock:
            if self._pixels is None:
                self._pixels = self._decode()
        _, _, rows, columns = region.slices
        block = np.moveaxis(self._pixels[rows, columns], -1, 0)
        return np.ascontiguousarray(block)[None, :, None]

    def associated(self) -> dict[str, Pixels]:
        """None: a picture holds one image."""
        return {}

    def close(self) -> None:
        """Forget the decoded pixels."""
        self._pixels = None

    def _decode(self) -> Pixels:
        """The whole picture, (y, x, samples)."""
        encoded = self._path.read_bytes()
        try:
            if self._description.metadata["format"] == "png":
                pixels = imagecodecs.png_decode(encoded)
            else:
                _refuse_cut_jpeg(encoded, self._path)
                pixels = imagecodecs.jpeg8_decode(encoded)
        except (RuntimeError, ValueError) as error:
            raise WorkFailed(f"{self._path.name} cannot be decoded: {first_line(error)}") from error
        _, _, _, height, width = self._description.shape
        pixels = np.asarray(pixels).reshape(height, width, -1)
        if pixels.shape[2] < self._samples or pixels.dtype != self._description.dtype:
            raise WorkFailed(f"{self._path.name} does not hold what its header says")
        return pixels[:, :, : self._samples]


def _png_size(head: bytes, path: Path) -> tuple[int, int, int, np.dtype[np.unsignedinteger]]:
    """Height, width, samples and dtype from the IHDR chunk (PNG specification, 11.2.2)."""
    if len(head) < 33 or head[12:16] != b"IHDR":
        raise NotAnImage(f"{path.name} is a PNG without a header: it is truncated")
    width, height, depth, color = struct.unpack(">IIBB", head[16:26])
    if not width or not height or color not in _PNG_SAMPLES:
        raise NotAnImage(f"{path.name} is a PNG with a header that makes no sense")
    samples = _PNG_SAMPLES[color]
    samples += color == _PALETTE and b"tRNS" in head[: head.find(b"IDAT")]
    return height, width, samples, np.dtype(np.uint16 if depth == 16 else np.uint8)


def _jpeg_size(head: bytes, path: Path) -> tuple[int, int, int, np.dtype[np.unsignedinteger]]:
    """Height, width, samples and dtype from the start-of-frame segment (ITU-T T.81, B.2.2)."""
    at = 2
    while at + 10 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            depth, height, width, samples = struct.unpack(">BHHB", head[at + 4 : at + 10])
            if depth != 8 or not height or not width:
                break
            return height, width, samples, np.dtype(np.uint8)
        at += 1 if marker == 0xFF else 2 + length
    raise NotAnImage(f"{path.name} is a JPEG whose header cannot be read (8 bits a sample only)")


def _refuse_cut_jpeg(encoded: bytes, path: Path) -> None:
    """A JPEG without its end decodes all the same, to grey where its pixels are lost.

    Neither marker can stand within coded pixels (ITU-T T.81, B.1.1.5).
    """
    if encoded.rfind(_END_OF_IMAGE) < encoded.rfind(_START_OF_SCAN):
        raise WorkFailed(f"{path.name} ends before its pixels do: the file is truncated")
