"""Kept: statistics of planes that are gathered so far, beside the unfinished output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stable_tiles.networks.moments import Table
from stable_tiles.networks.statistics import Given
from stable_tiles.remote.location import Location, read_whole, write_whole
from stable_tiles.translate.norms import Survey

FOLDER = "statistics"
"""Name of the folder inside that of the unfinished output."""

Plane = tuple[int, int]
"""Index t and z of a plane of the source."""


class Kept:
    """The statistics that are gathered so far, one file a plane.

    Parameters
    ----------
    folder : Path or Remote
        Folder of the unfinished output.
    """

    def __init__(self, folder: Location) -> None:
        self._folder = folder / FOLDER

    def load(self, plane: Plane, survey: Survey) -> Given:
        """What is known of a plane; a file that cannot be read counts as none."""
        arrays = self._arrays(plane)
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
        if isinstance(self._folder, Path):
            self._folder.mkdir(exist_ok=True)
        arrays = self._arrays(plane)
        for name, table in tables.items():
            arrays[f"{name}/mean"] = table.mean
            arrays[f"{name}/variance"] = table.variance
        write_whole(self._folder, _name(plane), save(arrays))

    def _arrays(self, plane: Plane) -> dict[str, npt.NDArray[Any]]:
        stored = read_whole(self._folder, _name(plane))
        try:
            return load(stored) if stored else {}
        except (SafetensorError, ValueError):
            return {}


def _name(plane: Plane) -> str:
    return f"{plane[0]}-{plane[1]}.safetensors"
