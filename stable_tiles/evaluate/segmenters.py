"""Choose what finds cells: the classical way, a Cellpose model or any ONNX pixel classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from stable_tiles.errors import InputError
from stable_tiles.evaluate.cellpose import CellposeModel
from stable_tiles.evaluate.onnx import OnnxOptions, PixelClassifier
from stable_tiles.evaluate.segment import Classical, Labels, Plane


class Segmenter(Protocol):
    """Numbers the things in a plane or a part of one."""

    @property
    def margin(self) -> int:
        """Pixels around a part that what is found in it depends on."""

    def __call__(self, plane: Plane) -> Labels:
        """Labels of the shape of a plane (y, x); 0 is background."""


@dataclass(frozen=True)
class SegmentOptions:
    """How cells are found where no labels are given.

    Parameters
    ----------
    segmenter : str
        ``classical``, ``cellpose``, or the path of an ONNX model (``.onnx``).
    model : Path or None
        The file of the Cellpose model.
    onnx : OnnxOptions
        What the ONNX model expects.
    """

    segmenter: str = "classical"
    model: Path | None = None
    onnx: OnnxOptions = field(default_factory=OnnxOptions)

    def __post_init__(self) -> None:
        if self.segmenter not in {"classical", "cellpose"} and not self.segmenter.endswith(".onnx"):
            raise InputError(
                f"--segmenter {self.segmenter}: give classical, cellpose or the path of an "
                ".onnx file"
            )
        if (self.segmenter == "cellpose") != (self.model is not None):
            raise InputError(
                "--segmenter cellpose needs --cellpose-model FILE, and only it takes one"
            )

    @property
    def name(self) -> str:
        """What it is called in reports: no folders."""
        if self.model is not None:
            return f"cellpose {self.model.name}"
        return Path(self.segmenter).name


def fit_segmenter(options: SegmentOptions, diameter: float, samples: Sequence[Plane]) -> Segmenter:
    """The segmentation for one image, judged by some of its planes or parts of them.

    Parameters
    ----------
    options : SegmentOptions
    diameter : float
        Typical diameter of a cell, pixels.
    samples : sequence of array of float32, (y, x)

    Raises
    ------
    MissingExtra
        If the package that the segmenter needs is not installed.
    InputError
        If its model file is missing or of another kind.
    """
    if options.segmenter == "classical":
        return Classical.fit(diameter, list(samples))
    if options.model is not None:
        return CellposeModel.load(options.model, diameter)
    return PixelClassifier.fit(Path(options.segmenter), diameter, list(samples), options.onnx)
