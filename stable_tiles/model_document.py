"""The document beside a model's weights: ``model.json``, checked field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from stable_tiles.domain import Domain
from stable_tiles.errors import ModelError
from stable_tiles.intensity import Normalizer
from stable_tiles.rivals import (
    CutNetworkSettings,
    DeepUnetSettings,
    MunitNetworkSettings,
    ResnetSettings,
    SantaNetworkSettings,
)
from stable_tiles.settings import NetworkSettings, Normalization
from stable_tiles.support import SupportNetworkSettings

FORMAT_VERSION = 1
"""Version of a model's files; readers refuse newer ones."""

MAX_DOCUMENT_BYTES = 16_000_000


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DomainDocument(_Record):
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
    def of(cls, domain: Domain) -> DomainDocument:
        """The record of a domain."""
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
        """The domain that was recorded; `ValueError` where its parts do not fit."""
        return Domain(
            channels=self.channels,
            channel_names=self.channel_names,
            dtype=self.dtype,
            normalizer=Normalizer(self.low, self.high),
            normalization=self.normalization,
            colors=self.colors,
            pixel_size_um=self.pixel_size_um,
        )


def _architecture(network: Any) -> str:
    """The name of an architecture; STABLE's has none."""
    if isinstance(network, dict):
        return str(network.get("architecture", "stable"))
    return str(getattr(network, "architecture", "stable"))


Described = Annotated[
    Annotated[NetworkSettings, Tag("stable")]
    | Annotated[ResnetSettings, Tag("resnet")]
    | Annotated[DeepUnetSettings, Tag("deep_unet")]
    | Annotated[MunitNetworkSettings, Tag("munit")]
    | Annotated[SantaNetworkSettings, Tag("santa")]
    | Annotated[CutNetworkSettings, Tag("cut")]
    | Annotated[SupportNetworkSettings, Tag("support")],
    Discriminator(
        _architecture,
        custom_error_type="architecture",
        custom_error_message="no such architecture; a newer stable-tiles may know it",
    ),
]
"""An architecture, by the key of that name."""


class Document(_Record):
    """What ``model.json`` holds; reach, stride and bounds are there to be read by people."""

    format_version: int
    network: Described
    domains: dict[Literal["a", "b"], DomainDocument]
    stride: int
    reach: dict[Literal["a2b", "b2a"], int | None]
    offset_bounds: dict[str, float]
    weights_sha256: str
    provenance: dict[str, Any]


def read_document(path: Path) -> Document:
    """The document in a file.

    Raises
    ------
    ModelError
        If it is damaged, not a model's, or newer than this program.
    """
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        raise ModelError(f"{path} is larger than {MAX_DOCUMENT_BYTES} bytes: not a model")
    try:
        tree = json.loads(path.read_bytes())
        version = tree["format_version"]
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise ModelError(
                f"{path} has format {version}, newer than {FORMAT_VERSION}: update stable-tiles"
            )
        document = Document.model_validate(tree)
        for entry in document.domains.values():
            entry.domain()
        if set(document.domains) != {"a", "b"}:
            raise ValueError("the domains are not a and b")
    except ModelError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        # behind "network" stands which architecture it was read as
        names = list(first["loc"])
        if names[0] == "network":
            del names[1:2]
        where = ".".join(map(str, names))
        raise ModelError(f"{path} is damaged: {where}: {first['msg']}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    return document
