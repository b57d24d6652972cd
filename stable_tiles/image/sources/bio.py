"""BioSource: microscopes' own formats (CZI, ND2, LIF, ...), by BioIO and its plugins; optional."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stable_tiles.errors import InputError, MissingExtra, NotAnImage, WorkFailed, first_line
from stable_tiles.image.ngff import Channel
from stable_tiles.image.sources.source import (
    Calibration,
    Description,
    Pixels,
    SourceOptions,
    axes_of,
    channels_of,
)
from stable_tiles.region import Region

PLUGINS = {
    ".czi": "bioio-czi",
    ".nd2": "bioio-nd2",
    ".lif": "bioio-lif",
    ".dv": "bioio-dv",
    ".r3d": "bioio-dv",
    ".sld": "bioio-sldy",
    ".sldy": "bioio-sldy",
    ".ims": "bioio-ims",
    ".oib": "bioio-bioformats",
    ".oif": "bioio-bioformats",
    ".vsi": "bioio-bioformats",
}
"""The BioIO plugin that reads files of a suffix."""


class BioSource:
    """One scene of a file, by BioIO.

    Raises
    ------
    MissingExtra
        If BioIO or the plugin for this format is not installed.
    NotAnImage
        If BioIO cannot read the file.
    InputError
        If it has no scene of that number.
    """

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self._name = path.name
        image = _opened(path, options.series)
        try:
            order = "TCSZYX" if "S" in image.dims.order else "TCZYX"
            lazy: Any = image.get_image_dask_data(order)
            calibration = _calibration(image)
        except Exception as error:
            # Plugins raise whatever they like on damaged files.
            raise NotAnImage(f"{path.name} cannot be read: {first_line(error)}") from error
        t, z, y, x = (int(lazy.shape[order.index(axis)]) for axis in "TZYX")
        self._lazy = lazy.reshape((t, -1, z, y, x))
        shape = (t, int(self._lazy.shape[1]), z, y, x)
        dtype = np.dtype(lazy.dtype)
        if dtype.kind not in "uif":
            raise NotAnImage(f"{path.name} holds {dtype} pixels: only real numbers are images")
        is_rgb = order == "TCSZYX" and shape[1] == 3
        self._description = Description(
            axes=axes_of(shape, calibration),
            shape=shape,
            dtype=dtype.newbyteorder("="),
            channels=channels_of(shape[1], is_rgb, calibration.channels),
            is_rgb=is_rgb,
            metadata=dict(calibration.metadata),
            files=(path,),
            bytes_in=path.stat().st_size,
        )

    @property
    def description(self) -> Description:
        """What the scene holds."""
        return self._description

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x)."""
        t, z, y, x = region.slices
        try:
            block = self._lazy[t, :, z, y, x].compute(scheduler="synchronous")
        except Exception as error:
            # As above.
            raise WorkFailed(f"{self._name} cannot be decoded: {first_line(error)}") from error
        return np.ascontiguousarray(block, self._description.dtype)

    def associated(self) -> dict[str, Pixels]:
        """None: other scenes are images of their own."""
        return {}

    def close(self) -> None:
        """Nothing is held open."""


def _opened(path: Path, scene: int | None) -> Any:
    """BioIO's image, at the scene that was asked for."""
    plugin = PLUGINS.get(path.suffix.lower(), "its plugin")
    line = f"pip install bioio {plugin}"
    try:
        import bioio
        from bioio_base.exceptions import UnsupportedFileFormatError
    except ImportError:
        raise MissingExtra(f"{path.name} needs BioIO: {line}") from None
    try:
        image = bioio.BioImage(path)
        scenes = image.scenes
    except UnsupportedFileFormatError:
        raise MissingExtra(
            f"{path.name} is damaged, or needs a plugin of BioIO that is not here: {line}"
        ) from None
    except Exception as error:
        # As above.
        raise NotAnImage(f"{path.name} cannot be read: {first_line(error)}") from error
    if scene is not None:
        if not 0 <= scene < len(scenes):
            raise InputError(
                f"{path.name} holds {len(scenes)} images: --series {scene} is not in "
                f"0..{len(scenes) - 1}"
            )
        image.set_scene(scenes[scene])
    return image


def _calibration(image: Any) -> Calibration:
    """Sizes in micrometres, the time step in seconds, and the channels' names."""
    sizes = image.physical_pixel_sizes
    scale = {
        axis.lower(): float(size)
        for axis in "ZYX"
        if (size := getattr(sizes, axis)) is not None and size > 0
    }
    units: dict[str, str | None] = dict.fromkeys(scale, "micrometer")
    step: Any = getattr(image, "time_interval", None)
    if seconds := step.total_seconds() if hasattr(step, "total_seconds") else step:
        scale["t"], units["t"] = float(seconds), "second"
    names = [str(name) for name in image.channel_names or ()]
    numbered = channels_of(len(names), False)
    channels = tuple(Channel(n, c.color) for n, c in zip(names, numbered, strict=True))
    return Calibration(scale, units, channels, {"format": "bioio"})
