"""Domain: one modality, its channels and how its pixels become network units."""

from __future__ import annotations

from dataclasses import dataclass

from stable_tiles.intensity import Normalizer
from stable_tiles.settings import Normalization


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
