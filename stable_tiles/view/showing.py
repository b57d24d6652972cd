"""Showing: stores that are shown at an address of this machine, until it is closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from stable_tiles.view.sources import Source


@dataclass(frozen=True)
class Showing(ABC):
    """What is being shown; closes itself at the end of a ``with`` block.

    Parameters
    ----------
    url : str
        Address of the page, on the loopback address.
    stores : tuple of Source
        What it shows.
    """

    url: str
    stores: tuple[Source, ...]

    @abstractmethod
    def wait(self) -> None:
        """Return when nothing is shown any more; an interruption passes through."""

    @abstractmethod
    def close(self) -> None:
        """Stop serving."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
