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
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from stable_tiles.errors import ModelError, RunNotFound, SettingsError
from stable_tiles.intensity import Normalizer
from stable_tiles.networks.translator import Direction, DomainName, Translator, domains
from stable_tiles.settings import NetworkSettings, Normalization

FORMAT_VERSION = 1
"""Version of the two files' layout; readers refuse newer ones."""

WEIGHTS, DOCUMENT = "model.safetensors", "model.json"
MAX_DOCUMENT_BYTES = 16_000_000


@dataclass(frozen=True)
class Domain:
    """One modality: its channels, and how its pixels become network units.

    Parameters
    ----------
    channels : int
        Number of channels of its images.
    channel_names : tuple of str
        One a channel.
    dtype : str
        Pixels' numpy dtype, such as ``uint16``.
    normalizer : Normalizer
        The physical range that maps to 0..1.
    normalization : Normalization
        How the range of a new image is found.
    colors : tuple of str
        RRGGBB, one a channel.
    pixel_size_um : float or None
        Side of a pixel in micrometres where known.

    Raises
    ------
    ValueError
        If names, colours or the normalizer do not fit the channels.
    """

    channels: int
    channel_names: tuple[str, ...]
    dtype: str
    normalizer: Normalizer
    normalization: Normalization
    colors: tuple[str, ...]
    pixel_size_um: float | None = None

    def __post_init__(self) -> None:
        counts = (len(self.channel_names), len(self.colors))
        if counts != (self.channels, self.channels):
            raise ValueError(
                f"{self.channels} channels have {counts[0]} names, {counts[1]} colours"
            )
        if len(self.normalizer.low) not in {1, self.channels}:
            raise ValueError(f"{len(self.normalizer.low)} ranges for {self.channels} channels")


@dataclass(frozen=True, eq=False)
class Model:
    """All that translating needs.

    Parameters
    ----------
    network : Translator
        The networks.
    settings : NetworkSettings
        Their architecture.
    domains : mapping of "a" and "b" to Domain
        The modalities.
    provenance : mapping
        What made it; anything JSON can hold.
    """

    network: Translator
    settings: NetworkSettings
    domains: Mapping[str, Domain]
    provenance: Mapping[str, Any]

    @property
    def stride(self) -> int:
        """Tiles start at multiples of this many pixels."""
        return self.network.stride

    def reach(self, direction: Direction) -> int | None:
        """Pixels beyond an output pixel that it depends on; None where there is no limit."""
        return self.network.reach(direction)

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
        document = _Document(
            format_version=FORMAT_VERSION,
            network=self.settings,
            domains={
                "a": _DomainDocument.of(self.domains["a"]),
                "b": _DomainDocument.of(self.domains["b"]),
            },
            stride=self.stride,
            reach={"a2b": self.reach("a2b"), "b2a": self.reach("b2a")},
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
    document = _read_document(folder / DOCUMENT)
    network = _build(document, folder)
    network.load_state_dict(_read_weights(folder / WEIGHTS, document.weights_sha256, network))
    return Model(
        network.to(device).eval(),
        document.network,
        {str(name): entry.domain() for name, entry in document.domains.items()},
        document.provenance,
    )


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _DomainDocument(_Record):
    """A `Domain` as JSON."""

    channels: int = Field(ge=1, le=4096)
    channel_names: tuple[str, ...]
    colors: tuple[str, ...]
    dtype: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    normalization: Normalization
    pixel_size_um: float | None

    @classmethod
    def of(cls, domain: Domain) -> _DomainDocument:
        return cls(
            channels=domain.channels,
            channel_names=domain.channel_names,
            colors=domain.colors,
            dtype=domain.dtype,
            low=domain.normalizer.low,
            high=domain.normalizer.high,
            normalization=domain.normalization,
            pixel_size_um=domain.pixel_size_um,
        )

    def domain(self) -> Domain:
        return Domain(
            channels=self.channels,
            channel_names=self.channel_names,
            dtype=self.dtype,
            normalizer=Normalizer(self.low, self.high),
            normalization=self.normalization,
            colors=self.colors,
            pixel_size_um=self.pixel_size_um,
        )


class _Document(_Record):
    """What ``model.json`` holds; reach, stride and bounds are there to be read by people."""

    format_version: int
    network: NetworkSettings
    domains: dict[DomainName, _DomainDocument]
    stride: int
    reach: dict[Direction, int | None]
    offset_bounds: dict[str, float]
    weights_sha256: str
    provenance: dict[str, Any]


def _read_document(path: Path) -> _Document:
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        raise ModelError(f"{path} is larger than {MAX_DOCUMENT_BYTES} bytes: not a model")
    try:
        tree = json.loads(path.read_bytes())
        version = tree["format_version"]
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise ModelError(
                f"{path} has format {version}, newer than {FORMAT_VERSION}: update stable-tiles"
            )
        document = _Document.model_validate(tree)
        for entry in document.domains.values():
            entry.domain()
        if set(document.domains) != {"a", "b"}:
            raise ValueError("the domains are not a and b")
    except ModelError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{path} is damaged: {where}: {first['msg']}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    return document


def _build(document: _Document, folder: Path) -> Translator:
    """The network with fresh weights, in memory once its size is known to fit the file's."""
    channels = document.domains["a"].channels, document.domains["b"].channels
    try:
        with torch.device("meta"):
            wanted = sum(
                tensor.numel()
                for tensor in Translator(*channels, document.network).state_dict().values()
            )
        weights = folder / WEIGHTS
        if not weights.is_file():
            raise ModelError(f"{folder} has no {WEIGHTS}: copy it beside {DOCUMENT}")
        if wanted > weights.stat().st_size:
            raise ModelError(f"{weights} is too small for the network of {DOCUMENT}: it is damaged")
        with torch.random.fork_rng(devices=[]):
            return Translator(*channels, document.network)
    except SettingsError as error:
        raise ModelError(f"{folder / DOCUMENT} is damaged: {error}") from None


def _read_weights(path: Path, sha256: str, network: Translator) -> dict[str, Tensor]:
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
