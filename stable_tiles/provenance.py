"""Provenance: the versions that made a result, with nothing private in it."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from stable_tiles import __version__

_PACKAGES = ("numpy", "zarr", "torch", "dask", "tifffile", "nibabel")


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the libraries that touch pixels."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"stable-tiles": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
