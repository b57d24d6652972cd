"""A viewer without a window, and the one Qt application that widgets need."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

WHY = "no napari here: pip install 'stable-tiles[napari]'"


@pytest.fixture(scope="session")
def napari() -> Any:
    """The package napari with a Qt application; tests that need it skip where it is absent."""
    with warnings.catch_warnings():
        # Of what napari is made of, where it is imported.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = pytest.importorskip("napari", reason=WHY)
        widgets = pytest.importorskip("qtpy.QtWidgets", reason=WHY, exc_type=ImportError)
        importlib.import_module("napari.components")
        importlib.import_module("napari.layers")
        importlib.import_module("magicgui.widgets")
    found.application = widgets.QApplication.instance() or widgets.QApplication([])
    return found


@pytest.fixture
def viewer(napari: Any) -> Iterator[Any]:
    """Layers and dimensions as of a window, without one: there need be no graphics here."""
    from napari.components import ViewerModel

    made = ViewerModel()
    yield made
    made.layers.clear()
