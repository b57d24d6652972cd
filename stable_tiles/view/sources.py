"""Sources: which stores a viewer shows, under which names, and what the page is told of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stable_tiles import __version__
from stable_tiles.errors import InputError, StoreNotFound
from stable_tiles.image.store import open_image
from stable_tiles.remote.location import Location, Remote, locate

CONFIDENCE = "confidence"
"""Group inside a translation that holds its confidence image."""


@dataclass(frozen=True)
class Source:
    """One store that a viewer shows.

    Parameters
    ----------
    name : str
        Its folder's name, made unique among the stores shown together.
    path : Path or Remote
        The store, resolved: nothing outside this folder is ever read for it.
    zarr_format : int
        2 or 3.
    confidence : bool
        Whether it holds a confidence image.
    """

    name: str
    path: Location
    zarr_format: int
    confidence: bool

    @property
    def folder(self) -> Path:
        """The store's folder on a disk.

        Raises
        ------
        InputError
            If it lies behind a URL.
        """
        if isinstance(self.path, Remote):
            raise InputError(f"{self.path} is a URL: pages are exported of local stores, copy it")
        return self.path


def sources(stores: Sequence[str | Location]) -> tuple[Source, ...]:
    """The stores to show, each opened once to see that it is an image.

    Raises
    ------
    InputError
        If none is given, one is missing or is no OME-Zarr image.
    """
    if not stores:
        raise InputError("no store to show: give the path of one or more OME-Zarr stores")
    found: list[Source] = []
    for store in stores:
        zarr_format = open_image(store).levels[0].array.metadata.zarr_format
        path = locate(store)
        path = path.resolve() if isinstance(path, Path) else path
        name = _unique(path.name, found)
        found.append(Source(name, path, zarr_format, _has_confidence(path)))
    return tuple(found)


def manifest(shown: Sequence[Source], urls: Sequence[str]) -> str:
    """The JSON document that tells the page where its stores are.

    Parameters
    ----------
    shown : sequence of Source
        The stores.
    urls : sequence of str
        For each its address, relative to the page.
    """
    entries = [
        {
            "name": source.name,
            "url": url,
            "zarr": source.zarr_format,
            CONFIDENCE: f"{url}/{CONFIDENCE}" if source.confidence else None,
        }
        for source, url in zip(shown, urls, strict=True)
    ]
    return json.dumps({"version": __version__, "stores": entries}, indent=1)


def served_url(source: Source) -> str:
    """Where a store lies beside the page: in the server, and in an export that copies it."""
    return f"stores/{quote(source.name, safe='')}"


def _has_confidence(path: Location) -> bool:
    try:
        open_image(path / CONFIDENCE)
    except StoreNotFound:
        return False
    return True


def _unique(name: str, taken: Sequence[Source]) -> str:
    names = {source.name for source in taken}
    unique, count = name, 1
    while unique in names:
        count += 1
        unique = f"{name} ({count})"
    return unique
