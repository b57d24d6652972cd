"""Faults: what is wrong with a store and where, counted once, in the order of patches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from stable_tiles.errors import WorkFailed


@dataclass(frozen=True)
class Fault:
    """Pixels, or a whole store, that cannot be trained on.

    Parameters
    ----------
    store : str
        The store's name.
    reason : str
        What is wrong.
    level : int or None
        The level that was read; None for a store that was refused as a whole.
    at : (int, int, int, int) or None
        Where: t, z, y and x, in pixels of the level.
    """

    store: str
    reason: str
    level: int | None = None
    at: tuple[int, int, int, int] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from other faults."""
        return self.store, self.level, self.at

    def __str__(self) -> str:
        if self.at is None:
            return f"{self.store}: {self.reason}"
        t, z, y, x = self.at
        return f"{self.store} level {self.level}, t {t}, z {z}, y {y}, x {x}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """The fault as a JSON object; positions by axis."""
        position = {} if self.at is None else dict(zip("tzyx", self.at, strict=True))
        known = {"store": self.store, "level": self.level, **position, "reason": self.reason}
        return {key: value for key, value in known.items() if value is not None}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Fault:
        """The fault that `to_json` wrote."""
        at = [document.get(axis) for axis in "tzyx"]
        t, z, y, x = (int(n or 0) for n in at)
        position = None if None in at else (t, z, y, x)
        return cls(document["store"], document["reason"], document.get("level"), position)


class BadPixels(WorkFailed):
    """A block of pixels cannot be used; `fault` says which and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault}. Repair the store, or train with --skip-bad")
        self.fault = fault


class FaultList:
    """The faults that patches met, each with the first patch that met it.

    Threads make patches out of order; `due` waits until no earlier patch can
    meet a fault, so that what it returns does not depend on their number.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._first: dict[tuple[Any, ...], tuple[int, Fault]] = {}
        self._reported: set[tuple[Any, ...]] = set()

    def note(self, index: int, fault: Fault) -> None:
        """The patch `index` met a fault."""
        with self._lock:
            known = self._first.get(fault.key)
            if known is None or index < known[0]:
                self._first[fault.key] = (index, fault)

    def forget(self, reported: Iterable[Fault]) -> None:
        """Faults that were reported before, by an earlier run of the same training."""
        with self._lock:
            self._reported |= {fault.key for fault in reported}

    def due(self, made: int) -> list[Fault]:
        """Faults not yet reported that the first `made` patches met, in order; now reported."""
        with self._lock:
            found = sorted(
                (index, str(fault), fault)
                for key, (index, fault) in self._first.items()
                if index < made and key not in self._reported
            )
            self._reported |= {fault.key for _, _, fault in found}
        return [fault for _, _, fault in found]
