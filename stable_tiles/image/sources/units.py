"""Units: how files spell units of length and time, and how NGFF does."""

from __future__ import annotations

_SPACE = {
    "a": "angstrom",
    "å": "angstrom",
    "pm": "picometer",
    "nm": "nanometer",
    "um": "micrometer",
    "µm": "micrometer",
    "μm": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "dm": "decimeter",
    "m": "meter",
    "km": "kilometer",
    "in": "inch",
    "ft": "foot",
    "yd": "yard",
}

_TIME = {
    "ns": "nanosecond",
    "us": "microsecond",
    "µs": "microsecond",
    "μs": "microsecond",
    "usec": "microsecond",
    "ms": "millisecond",
    "msec": "millisecond",
    "s": "second",
    "sec": "second",
    "secs": "second",
    "seconds": "second",
    "min": "minute",
    "minutes": "minute",
    "h": "hour",
    "hr": "hour",
    "hours": "hour",
}

METERS = {
    "picometer": 1e-12,
    "angstrom": 1e-10,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "decimeter": 0.1,
    "meter": 1.0,
    "kilometer": 1e3,
    "inch": 0.0254,
    "foot": 0.3048,
    "yard": 0.9144,
}
"""Metres in a unit of length of NGFF's spelling."""

SECONDS = {
    "nanosecond": 1e-9,
    "microsecond": 1e-6,
    "millisecond": 1e-3,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
}
"""Seconds in a unit of time of NGFF's spelling."""

SPACE_UNITS = frozenset(_SPACE.values())
"""The units of length in NGFF's spelling."""


def space_unit(text: str | None) -> str | None:
    """A unit of length in NGFF's spelling, or None for a unit that is no length."""
    return _spelled(text, _SPACE)


def time_unit(text: str | None) -> str | None:
    """A unit of time in NGFF's spelling, or None for a unit that is no time."""
    return _spelled(text, _TIME)


def _spelled(text: str | None, known: dict[str, str]) -> str | None:
    if text is None:
        return None
    plain = text.strip().replace("\\u00B5", "µ").lower().replace("metre", "meter")
    if plain in known.values():
        return plain
    if plain.endswith("s") and plain[:-1] in known.values():
        return plain[:-1]
    return known.get(plain)
