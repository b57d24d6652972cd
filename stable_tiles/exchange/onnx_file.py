"""A model as an ONNX file, compared with the network in onnxruntime where that is installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stable_tiles import __version__
from stable_tiles.errors import InputError, WorkFailed
from stable_tiles.exchange.graph import Graph
from stable_tiles.exchange.network import translation
from stable_tiles.model import Model
from stable_tiles.model_info import DomainInfo
from stable_tiles.networks.network import Direction
from stable_tiles.networks.statistics import freeze

OPSETS = (16, 17, 18)

TOLERANCE = 1e-4
"""Largest difference that is taken, in units of the largest value or of 1, the larger."""

CHECKED = ((1, 96, 128), (2, 67, 45))
"""Images, height and width of what is compared, pixels."""

INPUT, OUTPUT = "image", "translation"
"""What the file calls what goes in and what comes out."""

Array = npt.NDArray[np.float32]
Runner = Callable[[Array], Array]


def check_opset(opset: int) -> None:
    """Refuse operators of a version that the graph is not written for.

    Raises
    ------
    InputError
    """
    if opset not in OPSETS:
        raise InputError(f"--opset {opset}: choose one of {', '.join(map(str, OPSETS))}")


@torch.no_grad()
def onnx_bytes(model: Model, direction: Direction, opset: int = 17) -> bytes:
    """The translation in one direction as an ONNX file.

    It takes and gives float32 images (n, c, h, w) of any n, h and w in network
    units: 0..1 spans the normalised intensities.  Its metadata say which.

    Raises
    ------
    MissingExtra
        If the package onnx is not installed.
    ModelError
        If the model does not translate that way or cannot be written so.
    """
    model.check_direction(direction)
    if model.network.holds_statistics:
        freeze(model.network)
    graph = Graph(opset)
    made = translation(graph, model.network, direction, INPUT)
    source, target = model.source(direction), model.target(direction)
    facts = {
        "version": __version__,
        "model_digest": model.digest,
        "direction": direction,
        "source": _json(asdict(DomainInfo.of(source))),
        "target": _json(asdict(DomainInfo.of(target))),
        "stride": str(model.stride),
        "reach": str(model.reach(direction)),
        "units": "0 and 1 are the low and high intensities of a domain, in and out",
    }
    return graph.finish(
        made,
        (INPUT, source.channels),
        (OUTPUT, target.channels),
        {f"stable_tiles.{name}": value for name, value in facts.items()},
    )


def runner(content: bytes) -> Runner | None:
    """What runs an ONNX file of `onnx_bytes` on the CPU; None without onnxruntime."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # its threads spin, which on a busy machine costs most
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])

    def run(images: Array) -> Array:
        made: Array = session.run([OUTPUT], {INPUT: images})[0]
        return made

    return run


def difference(model: Model, direction: Direction, run: Runner) -> float:
    """The largest difference between a file and the network on random images of two sizes.

    Returns
    -------
    float
        In units of the largest value, or of 1 where that is smaller.

    Raises
    ------
    WorkFailed
        If it is more than `TOLERANCE`.
    """
    draw = np.random.default_rng(0)
    found = 0.0
    for n, height, width in CHECKED:
        shape = (n, model.source(direction).channels, height, width)
        images = draw.random(shape, np.float32)
        with torch.inference_mode():
            wanted = model.network.translate(torch.from_numpy(images), direction).numpy()
        scale = max(1.0, float(np.abs(wanted).max()))
        found = max(found, float(np.abs(run(images) - wanted).max()) / scale)
    if not found <= TOLERANCE:
        raise WorkFailed(
            f"the exported network differs from the model by {found:.2g}, more than "
            f"{TOLERANCE:g}: nothing was written; try another --opset"
        )
    return found


def _json(tree: dict[str, Any]) -> str:
    return json.dumps(tree, sort_keys=True)
