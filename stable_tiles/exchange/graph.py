"""Graph: an ONNX graph that is written node by node; values go by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import MissingExtra

IR_VERSION = 8
"""Of the file: that of opsets 15 to 18, which runtimes from 2021 on read."""


class Graph:
    """A graph under construction.

    Parameters
    ----------
    opset : int
        Version of the operators, 16 to 18.

    Raises
    ------
    MissingExtra
        If the package onnx is not installed.
    """

    def __init__(self, opset: int) -> None:
        try:
            import onnx
        except ImportError:
            raise MissingExtra(
                "writing ONNX needs a package that is not here: pip install 'stable-tiles[onnx]'"
            ) from None
        self._onnx: Any = onnx
        self.opset = opset
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        made = f"{operator}_{len(self._nodes)}"
        node = self._onnx.helper.make_node(operator, inputs, [made], name=made, **attributes)
        self._nodes.append(node)
        return made

    def constant(self, values: npt.ArrayLike, name: str | None = None) -> str:
        """Keep an array, float32 or int64, in the file; returns its name."""
        array = np.asarray(values)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64, order="C")
        found = name or f"{array.dtype}_{array.shape}_{array.ravel().tolist()}"
        if found not in self._constants:
            self._constants[found] = self._onnx.numpy_helper.from_array(array, found)
        return found

    def size(self, x: str) -> str:
        """Height and width of (n, c, h, w), int64 (2,)."""
        return self.add("Shape", x, start=2, end=4)

    def finish(
        self,
        made: str,
        source: tuple[str, int],
        target: tuple[str, int],
        facts: dict[str, str],
    ) -> bytes:
        """The file's bytes; the same graph gives the same bytes.

        Parameters
        ----------
        made : str
            The value that comes out.
        source, target : (str, int)
            Name and channels of what goes in and of what comes out, float32
            (n, c, h, w); n, h and w are left open.
        facts : dict of str to str
            The file's metadata.
        """
        helper, float32 = self._onnx.helper, self._onnx.TensorProto.FLOAT
        ends = [
            [helper.make_tensor_value_info(name, float32, ["n", channels, "h", "w"])]
            for name, channels in (source, target)
        ]
        last = helper.make_node("Identity", [made], [target[0]], name=target[0])
        constants = list(self._constants.values())
        graph = helper.make_graph([*self._nodes, last], "stable-tiles", *ends, constants)
        model = helper.make_model(
            graph,
            producer_name="stable-tiles",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", self.opset)],
        )
        helper.set_model_props(model, facts)
        self._onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def shapes(self, *parts: str | Sequence[int]) -> str:
        """Sizes one after the other, of names and of numbers, int64."""
        names = [part if isinstance(part, str) else self.constant(list(part)) for part in parts]
        return self.add("Concat", *names, axis=0)
