"""Axes: what the dimensions of an image mean, in the order NGFF demands.

An image on disk has only the axes it needs, always in the order t c z y x.
Everything else works on the canonical five, so nobody else asks which exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

ORDER = "tczyx"
"""The order of axes in every array of this package."""

SPATIAL = "zyx"

T = TypeVar("T")
Kind = Literal["time", "channel", "space"]


@dataclass(frozen=True)
class Axis:
    """One named dimension.

    Parameters
    ----------
    name : str
        One of ``t c z y x``.
    scale : float
        Distance between neighbours in `unit` at level 0; positive.
    unit : str or None
        Unit in NGFF's spelling (``micrometer``, ``second``), or None where unknown.
    """

    name: str
    scale: float = 1.0
    unit: str | None = None

    def __post_init__(self) -> None:
        if self.name not in ORDER or len(self.name) != 1:
            raise ValueError(f"axis {self.name!r} is not one of {', '.join(ORDER)}")
        if not self.scale > 0:
            raise ValueError(f"the scale of axis {self.name} is {self.scale}, not positive")

    @property
    def kind(self) -> Kind:
        """The axis type of OME-NGFF."""
        if self.name == "t":
            return "time"
        return "channel" if self.name == "c" else "space"


@dataclass(frozen=True)
class Axes:
    """The axes of an array in NGFF order; y and x always exist.

    Raises
    ------
    ValueError
        If an axis repeats, stands out of order, or y or x is missing.
    """

    items: tuple[Axis, ...]

    def __post_init__(self) -> None:
        names = self.names
        if names != "".join(name for name in ORDER if name in names):
            raise ValueError(f"axes {names!r} do not follow the order {ORDER}")
        if not names.endswith("yx"):
            raise ValueError(f"axes {names!r} lack y or x")

    @classmethod
    def named(
        cls,
        names: str,
        scale: Mapping[str, float] | None = None,
        units: Mapping[str, str | None] | None = None,
    ) -> Axes:
        """Axes from their names, with scales and units where known."""
        scale, units = scale or {}, units or {}
        return cls(tuple(Axis(n, scale.get(n, 1.0), units.get(n)) for n in names))

    @property
    def names(self) -> str:
        """The axes' names as one string, such as ``tcyx``."""
        return "".join(axis.name for axis in self.items)

    @property
    def scale(self) -> dict[str, float]:
        """Scale at level 0 by axis name; channels have none."""
        return {axis.name: axis.scale for axis in self.items if axis.name != "c"}

    @property
    def units(self) -> dict[str, str | None]:
        """Unit by axis name; channels have none."""
        return {axis.name: axis.unit for axis in self.items if axis.name != "c"}

    def canonical_shape(self, shape: Sequence[int]) -> tuple[int, int, int, int, int]:
        """The shape with all five axes; those that do not exist have length 1."""
        sizes = dict(zip(self.names, shape, strict=True))
        t, c, z, y, x = (sizes.get(name, 1) for name in ORDER)
        return t, c, z, y, x

    def project(self, values: Sequence[T]) -> tuple[T, ...]:
        """From values for all five axes, those of the axes that exist."""
        return tuple(value for name, value in zip(ORDER, values, strict=True) if name in self.names)
