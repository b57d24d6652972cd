"""Original metadata: what a file says beside its pixels, as JSON.

Free text names persons, machines and folders.  Without being asked only
numbers are kept, and none under a name that speaks of identity or dates.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import tifffile

MAX_VALUES = 256
"""Longest list that is kept: longer ones are tables of the pixels' places."""

_STRUCTURE = re.compile(
    r"Offsets|ByteCounts|JPEGTables|ColorProfile|ImageDescription|IJMetadata|XMLPacket|ImageID"
)
_PLACES = "TiffData"  # of OME-XML: which page is which plane

_PRIVATE = re.compile(
    r"name|user|operator|patient|person|author|owner|date|(^|[^a-z])time$|timestamp|serial|barcode"
    r"|label|accession|uuid|uid|host|path|file|mail|phone|address|comment|creat|updat"
    r"|(^|[^a-z])id$|(?<=[a-z])ID$",
    re.IGNORECASE,
)


def original_metadata(series: tifffile.TiffPageSeries) -> dict[str, Any]:
    """The tags and the description of a TIFF series' first page, as JSON.

    XML, JSON, Aperio's ``a = b|c = d`` and ImageJ's ``a=b`` lines become
    mappings; other descriptions stay text.
    """
    page = series.keyframe
    tags = {
        tag.name: _plain(tag.value) for tag in page.tags if not _STRUCTURE.search(str(tag.name))
    }
    found = {"tags": {name: value for name, value in tags.items() if value is not None}}
    described = _described(page.description)
    return found | ({"description": described} if described else {})


def plain_json(tree: Any) -> Any:
    """Any metadata as JSON; what JSON cannot hold is left out (None)."""
    return _plain(tree)


def numbers_only(tree: Any) -> Any:
    """The numbers of a tree, none under a name that speaks of identity or dates; None if none."""
    if isinstance(tree, dict):
        kept = {k: numbers_only(v) for k, v in tree.items() if not _PRIVATE.search(k)}
        return {k: v for k, v in kept.items() if v is not None} or None
    if isinstance(tree, list):
        items = [numbers_only(item) for item in tree]
        return items if items and all(item is not None for item in items) else None
    if isinstance(tree, str):
        return _number(tree)
    return tree if isinstance(tree, bool | int | float) else None


def _number(text: str) -> float | int | None:
    """The number that a text is, if it is one (and no date, no code with leading zeros)."""
    if not re.fullmatch(r"-?(0|[1-9]\d{0,11})(\.\d+)?([eE][-+]?\d+)?", text.strip()):
        return None
    value = float(text)
    return int(value) if value.is_integer() and "." not in text else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {str(k): _plain(v) for k, v in value.items() if k != _PLACES}
        return {k: v for k, v in kept.items() if v is not None}
    if isinstance(value, np.ndarray | list | tuple):
        items = [_plain(item) for item in value[: MAX_VALUES + 1]]
        return items if len(items) <= MAX_VALUES and None not in items else None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | str):
        return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return value if isinstance(value, float) and math.isfinite(value) else None


def _described(text: str) -> Any:
    """An image description in its own structure."""
    text = text.strip().strip("\0")
    if text.startswith("<"):
        try:
            return _plain(tifffile.xml2dict(text))
        except (ValueError, SyntaxError):
            return text
    if text.startswith("{"):
        try:
            return _plain(json.loads(text))
        except ValueError:
            return text
    separator = "|" if "|" in text else "\n"
    pairs = [part.split("=", 1) for part in text.split(separator) if "=" in part]
    return {key.strip(): value.strip() for key, value in pairs} if pairs else text
