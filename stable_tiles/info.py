"""Describe a store: what it is, how it is laid out, and what made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stable_tiles.errors import StoreNotFound
from stable_tiles.image.store import (
    ATTRIBUTE,
    Image,
    is_unfinished,
    open_image,
    root_attributes,
)
from stable_tiles.image.verify import Fault, verify
from stable_tiles.image.writer import partial_folder, unfinished_store
from stable_tiles.ledger import Ledger
from stable_tiles.progress import Progress, silent
from stable_tiles.remote.location import Location, locate


@dataclass(frozen=True)
class Info:
    """What ``info`` says of a store.

    Shapes and axes are those on disk; `percentiles` has one dict a channel,
    keyed by percent, and is None where the store keeps none; `faults` is None
    unless every chunk was read; `progress` stands only for an unfinished store.
    """

    path: str
    ngff: str
    kind: str | None
    axes: str
    shape: tuple[int, ...]
    dtype: str
    levels: int
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    scale: dict[str, float]
    unit: dict[str, str | None]
    channels: list[dict[str, str]]
    percentiles: list[dict[str, float]] | None
    provenance: dict[str, Any] | None
    progress: dict[str, Any] | None = None
    faults: list[Fault] | None = None


def info(
    path: str | Location, *, read_all: bool = False, progress: Progress = silent
) -> Info | dict[str, Any]:
    """Describe a store, finished or not.

    Parameters
    ----------
    path : str, Path or Remote
        The store.
    read_all : bool
        Whether to read every chunk and name the broken and missing ones.
    progress : Progress
        Told of the shards that were read.

    Returns
    -------
    Info, or dict
        For an unfinished output, a dict of its ``path`` and ``progress``.

    Raises
    ------
    StoreNotFound, NotAnImage
        If there is no store, or no image in it.
    """
    try:
        image = open_image(path)
    except StoreNotFound:
        target = locate(path)
        unfinished = _unfinished(target)
        if unfinished is None:
            raise
        return {"path": target.name, "progress": unfinished}
    faults = verify(image, progress) if read_all else None
    return _describe(image, faults)


def _describe(image: Image, faults: list[Fault] | None) -> Info:
    array = image.levels[0].array
    return Info(
        path=image.name,
        ngff=image.multiscale.version,
        kind=image.attributes.get("kind"),
        axes=image.axes.names,
        shape=tuple(array.shape),
        dtype=str(image.dtype),
        levels=len(image.levels),
        chunks=tuple(array.chunks),
        shards=tuple(array.shards) if array.shards else None,
        scale=image.axes.scale,
        unit=image.axes.units,
        channels=[{"name": c.name, "color": c.color} for c in image.channels],
        percentiles=image.attributes.get("intensity", {}).get("percentiles"),
        provenance=image.attributes.get("provenance"),
        faults=faults,
    )


def _unfinished(target: Location) -> dict[str, Any] | None:
    """What an unfinished output says of itself: planned work and regions done."""
    store = unfinished_store(target)
    stored = root_attributes(store)
    if stored is None or not is_unfinished(stored):
        return None
    done = {receipt.region.start for receipt in Ledger(partial_folder(target)).receipts()}
    return dict(stored[ATTRIBUTE]["progress"]) | {"done": len(done)}
