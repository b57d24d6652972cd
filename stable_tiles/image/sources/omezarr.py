"""StoreSource: another OME-Zarr image, to be laid out anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

from stable_tiles.image.ngff import RGB_CHANNELS
from stable_tiles.image.sources.source import Description, NiftiHeader, Pixels
from stable_tiles.image.store import Image, open_image
from stable_tiles.region import Region


class StoreSource:
    """Level 0 of an OME-Zarr image (NGFF 0.4 or 0.5).

    Raises
    ------
    StoreNotFound, NotAnImage
        As `open_image`.
    """

    def __init__(self, path: str | Path) -> None:
        self._image = open_image(path)
        image = self._image
        channels = RGB_CHANNELS if image.is_rgb else image.channels
        self._description = Description(
            axes=image.axes,
            shape=image.shape,
            dtype=image.dtype.newbyteorder("="),
            channels=channels,
            is_rgb=image.is_rgb,
            is_labels=image.attributes.get("kind") == "labels",
            metadata={"format": f"ome-zarr {image.multiscale.version}", "digest": image.digest()},
            nifti=nifti_of(image),
            bytes_in=_bytes(Path(str(path))),
        )

    @property
    def description(self) -> Description:
        """What the store holds."""
        return self._description

    def read(self, region: Region) -> Pixels:
        """Pixels of a region over (t, z, y, x), as an array (t, c, z, y, x)."""
        return self._image.read(region).astype(self._description.dtype, copy=False)

    def associated(self) -> dict[str, Pixels]:
        """None: labels and other images of the store are not copied."""
        return {}

    def close(self) -> None:
        """Nothing is held open."""


def _bytes(path: Path) -> int:
    if not path.is_dir():
        return 0
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def nifti_of(image: Image) -> NiftiHeader | None:
    """The NIfTI header that an earlier conversion kept, with the scaling of the store's own pixels.

    A translation has none: its pixels are values of the target domain.
    """
    fields = image.attributes.get("nifti")
    array = zarr.open_group(image.path, mode="r").get("nifti")
    if not isinstance(fields, dict) or not isinstance(array, zarr.Array):
        return None
    intensity = image.attributes.get("intensity", {})
    return NiftiHeader(
        np.asarray(array[:]).tobytes(),
        fields,
        float(intensity.get("scl_slope", 1.0)),
        float(intensity.get("scl_inter", 0.0)),
    )
