"""ImageWriter: an OME-Zarr store that appears under its name only when it is whole.

It is built without NGFF metadata, so no reader mistakes it for an image, in
``NAME.partial/store``; behind a URL, where nothing can be renamed, under its
name.  `seal` adds the coarse levels, then the metadata, then renames.  Regions
may be written in any order, from any process, twice:
each holds its shards alone, and the same pixels give the same bytes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import zarr

from stable_tiles import __version__
from stable_tiles.errors import OutputExists
from stable_tiles.image.layout import Level
from stable_tiles.image.ngff import RGB_COLORS, Multiscale, describe
from stable_tiles.image.pyramid import halve, nearest
from stable_tiles.image.remote import zarr_store
from stable_tiles.image.shard_writer import shard_writer
from stable_tiles.image.shards import region_files
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.store import (
    ATTRIBUTE,
    FORMATS,
    PARTIAL,
    is_unfinished,
    root_attributes,
)
from stable_tiles.intensity import Histogram, dtype_range
from stable_tiles.region import Region
from stable_tiles.remote.lease import HELD
from stable_tiles.remote.location import Location, Remote, clear, read_whole

STORE = "store"
"""Folder of the unfinished image inside the folder of the unfinished output."""


class ImageWriter:
    """Writes the regions of one unfinished store.

    Parameters
    ----------
    store : Path or Remote
        The unfinished store's folder.
    spec : ImageSpec
        What it was created with.
    """

    def __init__(self, store: Location, spec: ImageSpec) -> None:
        self.store = store
        self.spec = spec
        self._group = zarr.open_group(zarr_store(store, read_only=False), mode="r+")
        self._levels = [self._array(k) for k in range(len(spec.layout.levels))]
        self._shards = shard_writer(store, spec)

    def write(self, region: Region, block: npt.NDArray[Any]) -> list[str]:
        """Write a region on level 0 and on every level it owns, from nothing.

        Parameters
        ----------
        region : Region
            One of ``layout.regions()``, over (t, z, y, x).
        block : array, (t, c, z, y, x)
            Its pixels, of the store's dtype.

        Returns
        -------
        list of str
            The files that hold the region, relative to the store.

        Raises
        ------
        ValueError
            If the region is not one of the layout's, or the block does not fit it.
        """
        self._check(region, block)
        files = region_files(self.spec, region)
        if isinstance(self.store, Path):
            for file in files:
                # Zarr merges what it writes into a shard that exists, and fails on a torn one.
                (self.store / file).unlink(missing_ok=True)
        start, stop = list(region.start), list(region.stop)
        for level in range(self.spec.layout.owned):
            if level:
                block = nearest(block) if self.spec.labels else halve(block)
                start[2:] = [n // 2 for n in start[2:]]
                stop[2:] = [a + n for a, n in zip(start[2:], block.shape[3:], strict=True)]
            self._put(level, Region(tuple(start), tuple(stop)), block)
        return files

    def attach(self, name: str, values: npt.NDArray[Any]) -> None:
        """Keep a small extra array in the group, such as a raw header."""
        existing = self._group.get(name)
        if existing is None:
            self._group.create_array(name, data=values)

    def build_coarse_levels(self) -> None:
        """Build the levels that no region owns, each from the one before, shard by shard."""
        layout = self.spec.layout
        for k in range(layout.owned, len(layout.levels)):
            level = layout.levels[k]
            grid = level.shards or level.chunks
            t, _, z, y, x = level.shape
            for cell in Region.whole((t, z, y, x)).divide((grid[0], *grid[2:])):
                self._put(k, cell, self._coarse(k, cell))

    def seal(
        self, target: Location, attributes: dict[str, Any], *, overwrite: bool = False
    ) -> None:
        """Finish the store: coarse levels, metadata, and its final name.

        Parameters
        ----------
        target : Path or Remote
            The final name.
        attributes : dict
            Group attribute ``stable_tiles`` (``kind``, ``provenance``, ``intensity``, ...).
        overwrite : bool
            Whether a store of that name may be replaced.
        """
        self.build_coarse_levels()
        known = attributes.get("intensity", {}).get("percentiles")
        windows = _windows(self.spec, known or self._coarse_percentiles())
        paths = tuple(str(k) for k in range(len(self.spec.layout.levels)))
        image = Multiscale(self.spec.ngff, self.spec.axes, paths, (), self.spec.channels, False)
        stored = {"version": __version__, **attributes}
        name = target.name.removesuffix(".zarr")
        self._group.attrs.put({**describe(image, name, windows), ATTRIBUTE: stored})
        _move_into_place(self.store, target, overwrite)

    def _check(self, region: Region, block: npt.NDArray[Any]) -> None:
        layout = self.spec.layout
        t, channels, z, y, x = layout.shape
        whole = Region.whole((t, z, y, x))
        aligned = all(a % n == 0 for a, n in zip(region.start, layout.region_shape, strict=True))
        full = all(
            b == min(a + n, end)
            for a, b, n, end in zip(
                region.start, region.stop, layout.region_shape, whole.stop, strict=True
            )
        )
        if not (aligned and full):
            raise ValueError(f"{region} is not a region of this store: it would share a shard")
        if block.shape != (region.shape[0], channels, *region.shape[1:]):
            raise ValueError(f"a block of shape {block.shape} does not fill {region}")
        if block.dtype != np.dtype(self.spec.dtype):
            raise ValueError(f"a block of {block.dtype} in a store of {self.spec.dtype}")

    def _put(self, level: int, region: Region, block: npt.NDArray[Any]) -> None:
        if self._shards is not None:
            self._shards.write(level, region, block)
            return
        t, z, y, x = region.slices
        index = self.spec.axes.project((t, slice(None), z, y, x))
        shape = self.spec.axes.project(block.shape)
        self._levels[level][index] = block.reshape(shape)

    def _coarse(self, level: int, region: Region) -> npt.NDArray[Any]:
        """A region of a level from the one before, of which a strip is in memory at a time."""
        plan = self.spec.layout.levels[level]
        block = np.empty((region.shape[0], plan.shape[1], *region.shape[1:]), self.spec.dtype)
        (*before, first, left), (*after, last, right) = region.start, region.stop
        for top in range(first, last, plan.chunks[3]):
            bottom = min(top + plan.chunks[3], last)
            strip = Region((*before, top, left), (*after, bottom, right))
            block[:, :, :, top - first : bottom - first] = self._halved(level, strip)
        return block

    def _halved(self, level: int, region: Region) -> npt.NDArray[Any]:
        t, z, y, x = region.slices
        finer = self.spec.axes.project(
            (t, slice(None), z, slice(2 * y.start, 2 * y.stop), slice(2 * x.start, 2 * x.stop))
        )
        flat = np.asarray(self._levels[level - 1][finer])
        channels = self.spec.layout.shape[1]
        block = flat.reshape(region.shape[0], channels, region.shape[1], *flat.shape[-2:])
        return nearest(block) if self.spec.labels else halve(block)

    def _coarse_percentiles(self) -> list[dict[str, float]]:
        """Percentiles of the coarsest level's middle plane: enough to choose a contrast window."""
        coarsest = self.spec.layout.levels[-1].shape
        middle = [slice(n // 2, n // 2 + 1) for n in (coarsest[0], coarsest[2])]
        index = self.spec.axes.project(
            (middle[0], slice(None), middle[1], slice(None), slice(None))
        )
        plane = np.asarray(self._levels[-1][index]).reshape(1, coarsest[1], 1, *coarsest[3:])
        histogram = Histogram(coarsest[1], self.spec.dtype)
        histogram.update(np.nan_to_num(plane))
        return histogram.stored()

    def _array(self, level: int) -> zarr.Array[Any]:
        array = self._group[str(level)]
        assert isinstance(array, zarr.Array)  # created by this module
        return array.with_config({"write_empty_chunks": True})


@overload
def partial_folder(target: Path) -> Path: ...
@overload
def partial_folder(target: Remote) -> Remote: ...
@overload
def partial_folder(target: Location) -> Location: ...
def partial_folder(target: Location) -> Location:
    """The folder that holds an output's ledger, and on a disk its unfinished store."""
    return target.with_name(target.name + PARTIAL)


def unfinished_store(target: Location) -> Location:
    """The folder that an output is built in."""
    return target if isinstance(target, Remote) else partial_folder(target) / STORE


def is_taken(target: Location) -> bool:
    """Whether there is something under the final name, not counting an unfinished output."""
    if isinstance(target, Path):
        return target.exists()
    attributes = root_attributes(target)
    return target.exists() if attributes is None else not is_unfinished(attributes)


def is_store(target: Location) -> bool:
    """Whether a Zarr group stands under a name, an unfinished one behind a URL included."""
    return any(read_whole(target, name) is not None for name in FORMATS)


def refuse_existing(target: Location) -> None:
    """Raise OutputExists if there is something under the final name already."""
    if is_taken(target):
        raise OutputExists(f"{target} exists: give another name, or --overwrite")


def create_store(target: Location, spec: ImageSpec, progress: dict[str, Any]) -> ImageWriter:
    """A new unfinished store for `target`; an older unfinished one is removed.

    Behind a URL a finished one of that name is removed too.

    Parameters
    ----------
    target : Path or Remote
        Final name of the store.
    spec : ImageSpec
        What it will look like.
    progress : dict
        What ``info`` says of it while it is unfinished.
    """
    store = unfinished_store(target)
    version: Literal[2, 3] = 3 if spec.ngff == "0.5" else 2
    clear(partial_folder(target), keep=(HELD,))
    attributes: dict[str, Any] = {ATTRIBUTE: {"version": __version__, "progress": progress}}
    if isinstance(store, Remote):
        # What was there is no image any more before it becomes incomplete.
        group = zarr.open_group(
            zarr_store(store, read_only=False),
            mode="a",
            zarr_format=version,
            attributes=dict(attributes),  # `put` empties the one it was given
        )
        group.attrs.put(attributes)
        clear(store, keep=("zarr.json",) if version == 3 else (".zgroup", ".zattrs"))
    else:
        store.mkdir(parents=True)
        group = zarr.open_group(str(store), mode="w", zarr_format=version)
        group.attrs.put(attributes)
    for k, level in enumerate(spec.layout.levels):
        _create_array(group, str(k), level, spec)
    return ImageWriter(store, spec)


def _create_array(group: zarr.Group, name: str, level: Level, spec: ImageSpec) -> None:
    project = spec.axes.project
    v3 = spec.ngff == "0.5"
    group.create_array(
        name,
        shape=project(level.shape),
        chunks=project(level.chunks),
        shards=project(level.shards) if level.shards else None,
        dtype=spec.dtype,
        compressors=spec.codec.compressors(v3),
        fill_value=0,
        dimension_names=list(spec.axes.names) if v3 else None,
        chunk_key_encoding={"name": "default" if v3 else "v2", "separator": "/"},
    )


def _windows(spec: ImageSpec, percentiles: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Contrast windows: the 0.1 and 99.9 percentiles, but the whole range for colour images."""
    low, high = dtype_range(spec.dtype)
    if spec.dtype == "uint8" and tuple(c.color for c in spec.channels) == RGB_COLORS:
        return [{"min": low, "max": high, "start": low, "end": high}] * len(spec.channels)
    windows = []
    for channel in percentiles:
        start, end = channel["0.1"], channel["99.9"]
        end = end if end > start else start + 1
        floats = np.dtype(spec.dtype).kind == "f"
        limits = (min(channel["0"], start), max(channel["100"], end)) if floats else (low, high)
        windows.append({"min": limits[0], "max": limits[1], "start": start, "end": end})
    return windows


def _move_into_place(store: Location, target: Location, overwrite: bool) -> None:
    if isinstance(store, Remote) or isinstance(target, Remote):
        clear(partial_folder(target))
        return
    folder = store.parent
    if target.exists():
        if not overwrite:
            refuse_existing(target)
        os.rename(target, folder / "replaced")
    os.rename(store, target)
    shutil.rmtree(folder)
