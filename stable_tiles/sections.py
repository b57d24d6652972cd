"""Sections: the building blocks of settings, frozen values with no keys but their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Widths = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=6)]
Weight = Annotated[float, Field(ge=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A group of settings: frozen, and with no keys but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Architecture(Section, ABC):
    """What the networks of a model are made of; a model's document holds it."""

    @property
    def frames_read(self) -> int:
        """Frames of a movie that one translated frame is made from: 1, or an odd number."""
        return 1

    @property
    @abstractmethod
    def stride(self) -> int:
        """Tiles, and patches that training takes, are made of blocks of so many pixels a side."""

    @property
    @abstractmethod
    def live_values(self) -> int:
        """Float32 values that a forward pass holds at once for each pixel of its tile."""

    @property
    @abstractmethod
    def widest(self) -> int:
        """Values for each pixel of a tile in the largest tensor of a forward pass."""
