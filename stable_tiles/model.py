"""Model: weights, architecture and both domains, all that translating needs, in two files.

``model.safetensors`` holds the weights and the bounds of learned
displacements; ``model.json`` the rest, and the weights' sha256.  No pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch.overrides import TorchFunctionMode

from stable_tiles.domain import Domain
from stable_tiles.errors import ModelError, RunNotFound, SettingsError, first_line
from stable_tiles.model_document import FORMAT_VERSION, Document, DomainDocument, read_document
from stable_tiles.networks.build import build
from stable_tiles.networks.network import Direction, Network, domains
from stable_tiles.sections import Architecture

__all__ = ["DOCUMENT", "WEIGHTS", "Domain", "Model", "load_model"]

WEIGHTS, DOCUMENT = "model.safetensors", "model.json"


@dataclass(frozen=True, eq=False)
class Model:
    """All that translating needs.

    Parameters
    ----------
    network : Network
        The networks.
    settings : Architecture
        Their architecture.
    domains : mapping of "a" and "b" to Domain
        The modalities.
    provenance : mapping
        What made it; anything JSON can hold.
    """

    network: Network
    settings: Architecture
    domains: Mapping[str, Domain]
    provenance: Mapping[str, Any]

    @property
    def stride(self) -> int:
        """Tiles start at multiples of this many pixels."""
        return self.network.stride

    def reach(self, direction: Direction) -> int | None:
        """Pixels beyond an output pixel that it depends on; None where there is no limit."""
        return self.network.reach(direction)

    def local_reach(self, direction: Direction) -> int:
        """The reach once the statistics of all norms are given."""
        return self.network.local_reach(direction)

    def check_direction(self, direction: Direction) -> None:
        """Refuse a direction that the network does not translate in.

        Raises
        ------
        ModelError
        """
        if direction not in self.network.directions:
            raise ModelError(
                f"this model translates {' and '.join(self.network.directions)} only, not "
                f"{direction}: its method learns one direction; exchange --source and --target "
                "and train again"
            )

    def source(self, direction: Direction) -> Domain:
        """The domain that is translated."""
        return self.domains[domains(direction)[0]]

    def target(self, direction: Direction) -> Domain:
        """The domain that comes out."""
        return self.domains[domains(direction)[1]]

    @property
    def digest(self) -> str:
        """sha256 of the document, which holds that of the weights."""
        return hashlib.sha256(self._files()[1]).hexdigest()

    def save(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``model.json`` into an existing or new folder.

        Each file appears whole.  A kill between the two leaves a pair that
        `load_model` refuses.

        Raises
        ------
        OSError
            If the disk is full or not writable.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights, document = self._files()
        partial = {
            _write_partial(folder / name, content): folder / name
            for name, content in ((WEIGHTS, weights), (DOCUMENT, document))
        }
        for written, final in partial.items():
            os.replace(written, final)

    def _files(self) -> tuple[bytes, bytes]:
        state = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in self.network.state_dict().items()
        }
        weights = save_tensors(state)
        document = Document(
            format_version=FORMAT_VERSION,
            network=self.settings,
            domains={
                "a": DomainDocument.of(self.domains["a"]),
                "b": DomainDocument.of(self.domains["b"]),
            },
            stride=self.stride,
            reach={way: self.reach(way) for way in self.network.directions},
            offset_bounds={
                name: float(tensor) for name, tensor in state.items() if name.endswith(".bound")
            },
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            provenance=dict(self.provenance),
        )
        tree = document.model_dump(mode="json")
        return weights, (json.dumps(tree, indent=1, sort_keys=True) + "\n").encode()


def load_model(folder: str | Path, device: str | torch.device = "cpu") -> Model:
    """The model in a run's folder, ready to translate (evaluation mode).

    Parameters
    ----------
    folder : str or Path
        A run, or any folder with ``model.safetensors`` and ``model.json``.
    device : str or torch.device
        Where its network goes.

    Raises
    ------
    RunNotFound
        If the folder holds no model.
    ModelError
        If its files are damaged, do not belong together, or are newer than
        this program.
    """
    folder = Path(folder)
    if not (folder / DOCUMENT).is_file():
        what = f"has no {DOCUMENT}" if folder.is_dir() else "is not a folder"
        raise RunNotFound(f"no model at {folder}: it {what}; name a folder that train has written")
    document = read_document(folder / DOCUMENT)
    network = _build(document, folder)
    network.load_state_dict(_read_weights(folder / WEIGHTS, document.weights_sha256, network))
    return Model(
        network.to(device).eval(),
        document.network,
        {str(name): entry.domain() for name, entry in document.domains.items()},
        document.provenance,
    )


def _build(document: Document, folder: Path) -> Network:
    """The network, its weights not filled yet; it is no larger than the file of its weights."""
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ModelError(f"{folder} has no {WEIGHTS}: copy it beside {DOCUMENT}")
    channels = document.domains["a"].channels, document.domains["b"].channels
    large = f"{weights} is too small for the network of {DOCUMENT}: one of them is damaged"
    try:
        with _Unfilled():
            network = build(document.network, *channels)
    except (SettingsError, OverflowError) as error:
        raise ModelError(f"{folder / DOCUMENT} is damaged: {first_line(error)}") from None
    except RuntimeError:  # more than this machine can address
        raise ModelError(large) from None
    if sum(tensor.nbytes for tensor in network.state_dict().values()) > weights.stat().st_size:
        raise ModelError(large)
    return network


class _Unfilled(TorchFunctionMode):
    """Weights are made without being filled, so that none costs memory before it is loaded."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call a function of PyTorch, unless it would fill a tensor."""
        named = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init" or func in _FILLING:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


_FILLING = (Tensor.normal_, Tensor.uniform_)


def _read_weights(path: Path, sha256: str, network: Network) -> dict[str, Tensor]:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(
            f"{path} is damaged or does not belong to {DOCUMENT} beside it: its sha256 differs; "
            "copy both files of the run again"
        )
    try:
        tensors = load_tensors(content)
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != wanted:
        raise ModelError(f"{path} does not hold the weights of the network that {DOCUMENT} names")
    return tensors


def _write_partial(final: Path, content: bytes) -> Path:
    partial = final.with_name(f"{final.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return partial
