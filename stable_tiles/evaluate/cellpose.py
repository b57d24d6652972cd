"""Find cells with a Cellpose model, as the paper did: its package and its file are the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from stable_tiles.errors import InputError, MissingExtra, first_line
from stable_tiles.evaluate.segment import Labels, Plane

FLOW_THRESHOLD, CELL_PROBABILITY = 0.4, 0.0
"""Cellpose's own thresholds; those of the paper."""


@dataclass(frozen=True)
class CellposeModel:
    """A Cellpose 3 model on the CPU.

    Parameters
    ----------
    model : cellpose.models.CellposeModel
    diameter : float
        Typical diameter of the cells, pixels.
    """

    model: Any
    diameter: float

    @property
    def margin(self) -> int:
        """Pixels around a part of a plane that its cells depend on: about one tile of Cellpose."""
        return max(112, round(4 * self.diameter))

    @classmethod
    def load(cls, path: Path, diameter: float) -> CellposeModel:
        """The model in a file.

        Raises
        ------
        MissingExtra
            If the package is not installed.
        InputError
            If the file is missing or no Cellpose model.
        """
        try:
            from cellpose import models
        except ImportError:
            raise MissingExtra(
                "--segmenter cellpose needs a package that is not here: "
                "pip install 'stable-tiles[cellpose]'"
            ) from None
        if not path.is_file():
            raise InputError(f"no Cellpose model {path}: give its file with --cellpose-model")
        try:
            model = models.CellposeModel(gpu=False, pretrained_model=str(path))
        except (RuntimeError, ValueError, KeyError, OSError, EOFError, UnpicklingError) as error:
            raise InputError(f"{path} is no Cellpose 3 model: {first_line(error)}") from error
        return cls(model, diameter)

    def __call__(self, plane: Plane) -> Labels:
        """Number the cells in a plane, (y, x); 0 is background."""
        masks = self.model.eval(
            plane,
            channels=[0, 0],
            diameter=self.diameter,
            normalize=True,
            flow_threshold=FLOW_THRESHOLD,
            cellprob_threshold=CELL_PROBABILITY,
        )[0]
        labels: Labels = np.asarray(masks).astype(np.int32)
        return labels
