"""A result as one JSON document, the same on standard output and in files."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from math import isfinite
from typing import Any


def document(result: Any) -> str:
    """The JSON of a result (a dataclass or plain values); what JSON cannot hold (NaN) is null."""
    plain = asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
    return json.dumps(_without_nan(plain), default=str, allow_nan=False)


def _without_nan(value: Any) -> Any:
    """The value with numbers that JSON cannot hold replaced by None."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value
