"""Image: an OME-Zarr store opened for reading, whatever axes it has.

Everyone else sees the canonical five dimensions (t, c, z, y, x) and never
asks which of them exist on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import zarr
from zarr.errors import BaseZarrError

from stable_tiles.axes import ORDER, Axes
from stable_tiles.errors import (
    InputError,
    MissingExtra,
    NotAnImage,
    StoreNotFound,
    StoreUnreachable,
    WorkFailed,
    first_line,
)
from stable_tiles.image.direct import DirectReader, direct_reader
from stable_tiles.image.ngff import Channel, Multiscale, parse
from stable_tiles.image.remote import zarr_store
from stable_tiles.image.window import read_window
from stable_tiles.intensity import Histogram, Normalizer, fit_normalizer
from stable_tiles.region import Region
from stable_tiles.remote.location import Location, Remote, files_of, locate, reach
from stable_tiles.settings import Normalization

if TYPE_CHECKING:
    import xarray

ATTRIBUTE = "stable_tiles"
"""Group attribute that holds what only this package writes."""

FORMATS: dict[str, Literal[2, 3]] = {"zarr.json": 3, ".zgroup": 2}
"""What makes a folder a Zarr group, and of which version."""

PARTIAL = ".partial"
"""Suffix of the folder beside an output that holds it until it is whole."""

MAX_CHUNK_BYTES = 256 * 2**20
"""Largest decoded chunk that is read; a larger one would cost gigabytes for a pixel."""

_SCAN_PIXELS = 2**24


@dataclass(frozen=True)
class Level:
    """One resolution: its zarr array and its shape as (t, c, z, y, x)."""

    array: zarr.Array[Any]
    shape: tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Image:
    """An OME-Zarr image; reading is the only thing it can do.

    Parameters
    ----------
    location : Path or Remote
        Where it was opened.
    multiscale : Multiscale
        What its NGFF metadata says.
    levels : tuple of Level
        From full resolution to the coarsest.
    attributes : dict
        The group attribute ``stable_tiles``; empty for a store of other tools.
    """

    location: Location
    multiscale: Multiscale
    levels: tuple[Level, ...]
    attributes: dict[str, Any]

    @property
    def path(self) -> str:
        """Path or URL, without what must not be shown."""
        return str(self.location)

    @property
    def name(self) -> str:
        """Last part of the path, the only part that may travel into metadata."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]

    @property
    def group(self) -> zarr.Group:
        """The group that holds the levels, read only."""
        return zarr.open_group(zarr_store(self.location), mode="r")

    @property
    def axes(self) -> Axes:
        """The axes that exist, with scales and units of level 0."""
        return self.multiscale.axes

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Shape of level 0 as (t, c, z, y, x)."""
        return self.levels[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the pixels."""
        return np.dtype(self.levels[0].array.dtype)

    @property
    def is_rgb(self) -> bool:
        """Whether the three channels are the red, green and blue of a colour image."""
        return self.multiscale.is_rgb and self.dtype == np.uint8 and self.shape[1] == 3

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Name and colour of every channel; numbered where the store names none."""
        named = self.multiscale.channels
        if len(named) == self.shape[1]:
            return named
        return tuple(Channel(f"channel {i}") for i in range(self.shape[1]))

    def read(
        self,
        region: Region,
        level: int = 0,
        channels: Sequence[int] | None = None,
        out: npt.NDArray[Any] | None = None,
    ) -> npt.NDArray[Any]:
        """Pixels of a region.

        Parameters
        ----------
        region : Region
            Over (t, z, y, x), in pixels of `level`.
        level : int
            0 is full resolution.
        channels : sequence of int, optional
            Channels to read, in this order; all by default.
        out : array, (t, c, z, y, x), optional
            Where they are put, of the image's dtype; a new array by default.

        Returns
        -------
        array, (t, c, z, y, x)

        Raises
        ------
        WorkFailed
            If a chunk is broken; the line names the store and the region.
        """
        t, z, y, x = region.slices
        wanted = list(range(self.shape[1]) if channels is None else channels)
        run = slice(wanted[0], wanted[-1] + 1)
        picked = run if wanted == list(range(run.start, run.stop)) else slice(None)
        index: Any = self.axes.project((t, picked, z, y, x))
        array = self.levels[level].array
        frames, *plane = region.shape
        pixels = np.empty((frames, len(wanted), *plane), array.dtype) if out is None else out
        room = pixels if picked is run else np.empty((frames, self.shape[1], *plane), array.dtype)
        try:
            read_window(array, self._direct.get(level), index, self._own_axes(room))
        except _UNREADABLE as error:
            where = f"{self.name} level {level}, t z y x from {region.start} to {region.stop}"
            raise WorkFailed(
                f"cannot read {where}: {first_line(error)}. Run: stable-tiles info --verify"
            ) from error
        if room is not pixels:
            pixels[...] = room[:, wanted]
        return pixels

    def _own_axes(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Pixels (t, c, z, y, x), seen along the store's own axes."""
        view: npt.NDArray[Any] = pixels[
            tuple(slice(None) if name in self.axes.names else 0 for name in ORDER)
        ]
        return view

    @cached_property
    def _direct(self) -> dict[int, DirectReader]:
        """What reads levels behind a URL with few requests; on a disk Zarr's threads are faster."""
        if not isinstance(self.location, Remote):
            return {}
        found = {k: direct_reader(level.array) for k, level in enumerate(self.levels)}
        return {k: reader for k, reader in found.items() if reader is not None}

    def percentiles(self, percents: Sequence[float]) -> list[list[float]]:
        """Percentiles of each channel over all pixels of level 0.

        Stored ones are used where the store keeps them; otherwise the image is
        read once, block by block (exact for integers of up to 16 bits).

        Parameters
        ----------
        percents : sequence of float
            In 0..100.

        Returns
        -------
        list of list of float
            One list a channel, in the order of `percents`.
        """
        stored = self.stored_percentiles(percents)
        return self._histogram.percentiles(percents) if stored is None else stored

    def stored_percentiles(self, percents: Sequence[float]) -> list[list[float]] | None:
        """The same where the store keeps them for every channel, else None."""
        stored = self.attributes.get("intensity", {}).get("percentiles")
        keys = [f"{q:g}" for q in percents]
        if stored and len(stored) == self.shape[1] and all(k in c for c in stored for k in keys):
            return [[float(channel[k]) for k in keys] for channel in stored]
        return None

    def normalizer(self, settings: Normalization) -> Normalizer:
        """The map of this image's own pixel values to network units."""
        low, high = settings.bounds
        pairs = [(0.0, 1.0)] * self.shape[1]
        if settings.kind == "percentile" and low is not None and high is not None:
            pairs = [(a, b) for a, b in self.percentiles((low, high))]
        return fit_normalizer(settings, pairs, self.dtype)

    def digest(self) -> str:
        """Sha256 over the metadata and the names and sizes of level 0's files.

        It tells two inputs apart without reading their pixels.  A plain web
        server does not list files: there it is over the metadata alone.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        array = self.levels[0].array
        meta = {"ngff": str(self.multiscale), "shape": list(array.shape), "dtype": str(self.dtype)}
        summary = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
        for name, entry in sorted(files_of(self.location / self.multiscale.paths[0])):
            summary.update(f"{name} {entry.bytes}\n".encode())
        return summary.hexdigest()

    def to_xarray(self, level: int = 0) -> xarray.DataArray:
        """The level as a lazy DataArray (dask) with physical coordinates."""
        import dask.array
        import xarray

        array = dask.array.from_zarr(  # type: ignore[no-untyped-call]  # dask is untyped
            self.levels[level].array
        )
        scale = self.multiscale.scales[level]
        coords: dict[str, Any] = {
            axis.name: np.arange(size) * step + (step - axis.scale) / 2
            for axis, size, step in zip(self.axes.items, array.shape, scale, strict=True)
            if axis.name != "c"
        }
        coords |= {"c": [c.name for c in self.channels]} if "c" in self.axes.names else {}
        return xarray.DataArray(array, dims=list(self.axes.names), coords=coords, name=self.name)

    @cached_property
    def _histogram(self) -> Histogram:
        histogram = Histogram(self.shape[1], self.dtype)
        for region in self.blocks(_SCAN_PIXELS):
            histogram.update(self.read(region))
        return histogram

    def blocks(self, pixels: int) -> list[Region]:
        """Regions over (t, z, y, x) of about `pixels` pixels that follow the store's chunks."""
        t, _, z, y, x = self.shape
        stored = self.levels[0].array.shards or self.levels[0].array.chunks
        chunk = self.axes.canonical_shape(stored)
        high, wide = min(y, chunk[3]), min(x, chunk[4])
        planes = max(1, pixels // (high * wide * self.shape[1]))
        deep = min(z, planes)
        long = min(t, planes // deep) if deep == z else 1
        return list(Region.whole((t, z, y, x)).divide((long, deep, high, wide)))


def open_image(path: str | Location) -> Image:
    """Open an OME-Zarr image (NGFF 0.4 or 0.5; a local path or a URL).

    Raises
    ------
    StoreNotFound
        If nothing is there, or only an unfinished output.
    NotAnImage
        If there is something, but no OME-Zarr image that can be read.
    MissingExtra
        If a URL needs a package that is not installed; the line says how to install it.
    StoreUnreachable
        If what serves a URL does not answer or refuses.
    """
    location = locate(path)
    where = str(location)
    try:
        group = _open_group(location)
        attributes = dict(group.attrs)
    except (StoreNotFound, StoreUnreachable, MissingExtra):
        raise
    except ImportError as error:
        raise MissingExtra(
            f"{where} needs a package that is not here ({first_line(error)}): "
            "pip install 'stable-tiles[remote]'"
        ) from None
    except _UNREADABLE as error:
        raise NotAnImage(
            f"{where} is not an OME-Zarr image: {first_line(error)}. "
            "Make one with: stable-tiles convert"
        ) from None
    if isinstance(location, Remote) and is_unfinished(attributes):
        raise StoreNotFound(f"{where} is unfinished: run the same command again with --resume")
    multiscale = parse(attributes, where)
    levels = tuple(_level(group, name, multiscale.axes, where) for name in multiscale.paths)
    for finer, coarser in pairwise(levels):
        if any(a < b for a, b in zip(finer.shape, coarser.shape, strict=True)):
            raise NotAnImage(f"{where}: level {coarser.array.path} is larger than the one before")
    stored = attributes.get(ATTRIBUTE)
    own = dict(stored) if isinstance(stored, Mapping) else {}
    return Image(location, multiscale, levels, own)


def is_unfinished(attributes: Mapping[str, Any]) -> bool:
    """Whether a group's attributes are those of an output that is being written."""
    stored = attributes.get(ATTRIBUTE)
    return isinstance(stored, Mapping) and "progress" in stored


def root_attributes(where: Location) -> dict[str, Any] | None:
    """The attributes of the group at a location; None where there is none that can be read."""
    for name, version in FORMATS.items():
        stored = reach(where, name)
        if stored is None:
            continue
        if version == 2:
            stored = reach(where, ".zattrs") or b"{}"
        try:
            tree = json.loads(stored)
            found = tree if version == 2 else tree.get("attributes", {})
        except (ValueError, AttributeError):
            return None
        return found if isinstance(found, dict) else None
    return None


def _open_group(location: Location) -> zarr.Group:
    if isinstance(location, Path):
        if not location.exists():
            raise StoreNotFound(_missing(str(location)))
        return zarr.open_group(str(location), mode="r")
    # Asked one by one: where listing is not allowed, a missing key is a forbidden one.
    for name, version in FORMATS.items():
        if reach(location, name) is not None:
            return zarr.open_group(zarr_store(location), mode="r", zarr_format=version)
    raise StoreNotFound(f"no store {location}: check the address")


_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, BaseZarrError)
"""What reading raises where data are broken."""


def _missing(where: str) -> str:
    if Path(where + PARTIAL).is_dir():
        return f"{where} is unfinished: run the same command again with --resume"
    return f"no store {where}: check the path"


def _level(group: zarr.Group, name: str, axes: Axes, where: str) -> Level:
    try:
        array = group[name]
    except _UNREADABLE as error:
        raise NotAnImage(f"{where} lacks its level {name!r}: {first_line(error)}") from None
    if not isinstance(array, zarr.Array) or len(array.shape) != len(axes.items):
        raise NotAnImage(f"{where}: level {name!r} is no array with the axes {axes.names}")
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "uifb":
        raise NotAnImage(f"{where} holds pixels of dtype {dtype}: only real numbers are images")
    decoded = int(np.prod(array.chunks)) * dtype.itemsize
    if decoded > MAX_CHUNK_BYTES:
        raise InputError(
            f"{where}: a chunk of level {name} decodes to {decoded / 2**20:.0f} MiB (at most "
            f"{MAX_CHUNK_BYTES >> 20}): rechunk it with the tool that wrote it"
        )
    return Level(array, axes.canonical_shape(array.shape))
