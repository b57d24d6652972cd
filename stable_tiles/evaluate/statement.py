"""The statement of what a report was made from: images, settings and versions, nothing private."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stable_tiles.evaluate.page import Html, facts, section
from stable_tiles.image.store import Image
from stable_tiles.provenance import versions

_TOLD = ("command", "task", "scene", "seed", "direction", "steps", "digest")
"""What is repeated of an image's own provenance and of its model's."""


def statement(images: Mapping[str, Image], settings: Sequence[tuple[str, str]]) -> Html:
    """The section that says which data, settings and programs the numbers come from.

    Parameters
    ----------
    images : mapping of str to Image
        By what each was in the comparison.
    settings : sequence of (str, str)
        Options and their values.
    """
    rows = [(role, describe(image)) for role, image in images.items()]
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    return section("What was compared", facts([*rows, *settings, ("versions", used)]))


def describe(image: Image) -> str:
    """Name, size, pixels, digest and origin of an image on one line."""
    axes = image.axes
    sizes = " x ".join(str(n) for n in axes.project(image.shape))
    words = [f"{image.name}: {sizes} ({axes.names}) {image.dtype}"]
    units = {axis.name: axis.unit for axis in axes.items}
    if units.get("y"):
        words.append(f"pixel {axes.scale['y']:g} x {axes.scale['x']:g} {units['y']}")
    words.append(f"digest {image.digest()}")
    provenance = image.attributes.get("provenance", {})
    told = _origin(provenance)
    model = provenance.get("model")
    if isinstance(model, Mapping):
        told += [f"model {word}" for word in _origin(model)]
    return "; ".join((*words, *told))


def _origin(provenance: Mapping[str, Any]) -> list[str]:
    return [
        f"{key} {provenance[key]}" for key in _TOLD if isinstance(provenance.get(key), str | int)
    ]
