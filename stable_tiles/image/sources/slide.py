"""SlideSource: slides that only OpenSlide reads (MRXS, VMS, DICOM); an optional extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stable_tiles.errors import MissingExtra, NotAnImage, WorkFailed, first_line
from stable_tiles.image.sources.source import (
    Calibration,
    Description,
    Pixels,
    axes_of,
    channels_of,
)
from stable_tiles.region import Region

SUFFIXES = frozenset({".mrxs", ".vms", ".vmu", ".dcm", ".svslide"})
"""Suffixes of the files that are given to OpenSlide."""


class SlideSource:
    """Level 0 of a slide, by OpenSlide.

    Raises
    ------
    MissingExtra
        If OpenSlide is not installed.
    NotAnImage
        If OpenSlide does not know the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            import openslide
        except (ImportError, OSError):
            raise MissingExtra(
                f"{path.name} needs OpenSlide: pip install 'stable-tiles[slide]'"
            ) from None
        self._name = path.name
        self._error: type[Exception] = openslide.OpenSlideError
        try:
            self._slide: Any = openslide.OpenSlide(str(path))
        except openslide.OpenSlideError as error:
            raise NotAnImage(
                f"{path.name} is no slide for OpenSlide: {first_line(error)}"
            ) from None
        width, height = self._slide.dimensions
        files = (path, *sorted(f for f in path.with_suffix("").glob("*") if f.is_file()))
        calibration = _calibration(self._slide.properties)
        self._background = _background(self._slide.properties)
        shape = (1, 3, 1, int(height), int(width))
        self._description = Description(
            axes=axes_of(shape, calibration),
            shape=shape,
            dtype=np.dtype(np.uint8),
            channels=channels_of(3, True),
            is_rgb=True,
            metadata=dict(calibration.metadata),
            original=dict(self._slide.properties),
            files=files,
            bytes_in=sum(file.stat().st_size for file in files),
        )

    @property
    def description(self) -> Description:
        """What the slide holds."""
        return self._description

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x).

        Where the scanner took no picture, the slide's background colour.
        """
        _, _, high, wide = region.shape
        _, _, y, x = region.start
        try:
            rgba = np.asarray(self._slide.read_region((x, y), 0, (wide, high)))
        except self._error as error:
            raise WorkFailed(f"{self._name} cannot be read: {first_line(error)}") from error
        rgb = np.where(rgba[..., 3:] == 0, self._background, rgba[..., :3])
        return np.ascontiguousarray(np.moveaxis(rgb, -1, 0))[None, :, None]

    def associated(self) -> dict[str, Pixels]:
        """Label, macro and thumbnail by name, each (c, y, x)."""
        return {
            str(name): np.ascontiguousarray(np.moveaxis(np.asarray(image)[..., :3], -1, 0))
            for name, image in self._slide.associated_images.items()
        }

    def close(self) -> None:
        """Close the slide."""
        self._slide.close()


def _calibration(properties: Any) -> Calibration:
    names = {"y": "openslide.mpp-y", "x": "openslide.mpp-x"}
    scale = {axis: float(properties[name]) for axis, name in names.items() if name in properties}
    metadata: dict[str, Any] = {"format": str(properties.get("openslide.vendor", "slide"))}
    if "openslide.objective-power" in properties:
        metadata["objective"] = float(properties["openslide.objective-power"])
    return Calibration(scale, dict.fromkeys(scale, "micrometer"), (), metadata)


def _background(properties: Any) -> Pixels:
    text = str(properties.get("openslide.background-color", "FFFFFF"))
    return np.frombuffer(bytes.fromhex(text), np.uint8)
