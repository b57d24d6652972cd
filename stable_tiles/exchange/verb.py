"""Verb: a trained model as a file that other programs run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stable_tiles.errors import InputError, OutputExists
from stable_tiles.exchange.onnx_file import check_opset, difference, onnx_bytes, runner
from stable_tiles.exchange.package import About, package_bytes
from stable_tiles.model import load_model
from stable_tiles.networks.network import BOTH, Direction

Format = Literal["onnx", "bioimage.io"]

NOBODY = About()
"""No authors."""

_FORMATS: dict[str, Format] = {".onnx": "onnx", ".zip": "bioimage.io"}


@dataclass(frozen=True)
class ModelExport:
    """What was exported.

    Parameters
    ----------
    output : str
        The file.
    format : {"onnx", "bioimage.io"}
    direction : {"a2b", "b2a"}
    opset : int
        Version of ONNX's operators.
    bytes_out : int
        Size of the file.
    digest : str
        sha256 of the model's document, as `model info` gives it.
    max_abs_difference : float or None
        Largest difference from the network in onnxruntime, on random images of two
        sizes, in units of the largest value or of 1, the larger; None where
        onnxruntime is not installed and nothing was compared.
    """

    output: str
    format: Format
    direction: Direction
    opset: int
    bytes_out: int
    digest: str
    max_abs_difference: float | None


def export_model(
    run: str | Path,
    output: str | Path,
    *,
    direction: str = "a2b",
    opset: int = 17,
    overwrite: bool = False,
    about: About = NOBODY,
) -> ModelExport:
    """Write the translator of a run as an ONNX file or a BioImage.IO package.

    Parameters
    ----------
    run : str or Path
        The trained run.
    output : str or Path
        ``NAME.onnx`` or ``NAME.zip``; appears whole or not at all.
    direction : "a2b" or "b2a"
        From which domain to which.
    opset : int
        Version of ONNX's operators, 16 to 18.
    overwrite : bool
        Whether to replace a file of that name.
    about : About
        Authors and licence, of packages.

    Raises
    ------
    InputError
        If the name, the direction or the opset is none of these.
    OutputExists
        If there is such a file and it may not be replaced.
    MissingExtra
        If a package is missing; the line says how to install it.
    RunNotFound, ModelError
        If there is no such model, or it cannot be exported.
    WorkFailed
        If the file does not give what the network gives.
    """
    output = Path(output)
    kind = _FORMATS.get(output.suffix.lower())
    if kind is None:
        raise InputError(f"{output}: name a file that ends in {' or '.join(_FORMATS)}")
    if direction not in BOTH:
        raise InputError(f"--direction {direction}: choose one of {', '.join(BOTH)}")
    check_opset(opset)
    if output.is_dir() or (output.exists() and not overwrite):
        raise OutputExists(f"{output} exists: give another name, or --overwrite")
    model = load_model(run)
    content = onnx_bytes(model, direction, opset)
    run_onnx = runner(content)
    found = None if run_onnx is None else difference(model, direction, run_onnx)
    made = content if kind == "onnx" else package_bytes(model, direction, content, opset, about)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f"{output.name}.partial")
    partial.write_bytes(made)
    os.replace(partial, output)
    return ModelExport(str(output), kind, direction, opset, len(made), model.digest, found)
