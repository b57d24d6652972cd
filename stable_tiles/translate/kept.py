"""Kept: statistics of planes that are gathered so far, beside the unfinished output."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from stable_tiles.networks.moments import Table
from stable_tiles.networks.statistics import Given
from stable_tiles.translate.norms import Survey

FOLDER = "statistics"
"""Name of the folder inside that of the unfinished output."""

Plane = tuple[int, int]
"""Index t and z of a plane of the source."""


class Kept:
    """The statistics that are gathered so far, one file a plane.

    Parameters
    ----------
    folder : Path
        Folder of the unfinished output.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def load(self, plane: Plane, survey: Survey) -> Given:
        """What is known of a plane; a file that cannot be read counts as none."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        path = self._path(plane)
        if path.is_file():
            try:
                arrays = load_file(path)
            except (SafetensorError, OSError, ValueError):
                path.unlink(missing_ok=True)
        tables = {
            name: Table(arrays[f"{name}/mean"], arrays[f"{name}/variance"])
            for name in survey.layers
            if f"{name}/mean" in arrays and f"{name}/variance" in arrays
        }
        return Given(tables, *survey.centres())

    def is_complete(self, plane: Plane, survey: Survey) -> bool:
        """Whether nothing is left to gather of a plane."""
        return self.passes(plane, survey) == survey.passes

    def passes(self, plane: Plane, survey: Survey) -> int:
        """Passes over the tiles of a plane that were done."""
        known = len(self.load(plane, survey).tables)
        return known // len(survey.layers) if survey.at_once else known

    def add(self, plane: Plane, tables: Mapping[str, Table]) -> None:
        """Keep further layers of a plane; the file appears whole."""
        self._folder.mkdir(exist_ok=True)
        path = self._path(plane)
        arrays = load_file(path) if path.is_file() else {}
        for name, table in tables.items():
            arrays[f"{name}/mean"] = table.mean
            arrays[f"{name}/variance"] = table.variance
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(save(arrays))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def _path(self, plane: Plane) -> Path:
        return self._folder / f"{plane[0]}-{plane[1]}.safetensors"
