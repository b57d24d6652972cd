"""Unpaired image-to-image translation of bioimages too large for memory.

The public names load on first use, so that importing the package stays fast
and does not import torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

try:
    __version__ = version("stable-tiles")
except PackageNotFoundError:
    __version__ = "0+unknown"

_HOME = {
    "Image": "stable_tiles.image.store",
    "StableTilesError": "stable_tiles.errors",
    "benchmark": "stable_tiles.benchmark.verb",
    "check": "stable_tiles.check",
    "convert": "stable_tiles.convert",
    "export": "stable_tiles.export",
    "export_model": "stable_tiles.exchange.verb",
    "export_view": "stable_tiles.view",
    "denoise": "stable_tiles.translate.denoise",
    "evaluate_compare": "stable_tiles.evaluate.compare",
    "evaluate_images": "stable_tiles.evaluate.images",
    "evaluate_rois": "stable_tiles.evaluate.cells",
    "evaluate_traces": "stable_tiles.evaluate.trace_table",
    "load_settings": "stable_tiles.settings",
    "open_image": "stable_tiles.image.store",
    "train": "stable_tiles.train.run",
    "translate": "stable_tiles.translate.verb",
    "view": "stable_tiles.view",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - one list of names, in _HOME


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """The package; importing the module ``convert`` must not hide the function of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOME or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
