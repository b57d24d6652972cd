"""What a model is, in figures: architecture, domains, reach, size, origin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_tiles.domain import Domain
from stable_tiles.model import Model, load_model


@dataclass(frozen=True)
class DomainInfo:
    """A domain of a model.

    Parameters
    ----------
    channels, names, dtype
        Of its images.
    low, high : tuple of float
        Pixel values that are 0 and 1 in the network; one entry, or one a channel.
    normalization : dict
        How low and high of a new image are found: kind, low, high, per.
    pixel_size_um : float or None
        Side of a pixel in micrometres where known.
    """

    channels: int
    names: tuple[str, ...]
    dtype: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    normalization: dict[str, Any]
    pixel_size_um: float | None

    @classmethod
    def of(cls, domain: Domain) -> DomainInfo:
        """What is to be said of a domain."""
        kind = domain.normalization
        low, high = kind.bounds
        return cls(
            channels=domain.channels,
            names=domain.channel_names,
            dtype=domain.dtype,
            low=domain.normalizer.low,
            high=domain.normalizer.high,
            normalization={"kind": kind.kind, "low": low, "high": high, "per": kind.per},
            pixel_size_um=domain.pixel_size_um,
        )


@dataclass(frozen=True)
class ModelInfo:
    """A model in figures.

    Parameters
    ----------
    run : str
        Name of its folder.
    network : dict
        The architecture: the settings' section of that name.
    domains : dict of "a" and "b" to DomainInfo
        Both modalities.
    reach : dict of direction to int or None
        Pixels beyond an output pixel that it depends on; None without limit.
    stride : int
        Tiles start at multiples of this many pixels.
    parameters : dict of direction to int
        Trained numbers that a translation uses.
    digest : str
        sha256 that names the model: of its document, which holds that of its weights.
    provenance : dict
        What made it.
    """

    run: str
    network: dict[str, Any]
    domains: dict[str, DomainInfo]
    reach: dict[str, int | None]
    stride: int
    parameters: dict[str, int]
    digest: str
    provenance: dict[str, Any]


def model_info(run: str | Path) -> ModelInfo:
    """Describe the model of a run.

    Raises
    ------
    RunNotFound
        If the folder holds no model.
    ModelError
        If its files are damaged.
    """
    return describe(load_model(run), Path(run).name)


def describe(model: Model, name: str) -> ModelInfo:
    """What is to be said of a model in a folder of that name."""
    directions = model.network.directions
    return ModelInfo(
        run=name,
        network=model.settings.model_dump(mode="json"),
        domains={key: DomainInfo.of(domain) for key, domain in model.domains.items()},
        reach={way: model.reach(way) for way in directions},
        stride=model.stride,
        parameters={way: model.network.parameter_count(way) for way in directions},
        digest=model.digest,
        provenance=dict(model.provenance),
    )
