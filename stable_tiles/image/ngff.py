"""OME-NGFF metadata, versions 0.4 and 0.5: written and read here only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stable_tiles.axes import ORDER, Axes, Axis
from stable_tiles.errors import NotAnImage

Version = Literal["0.4", "0.5"]

_READ = frozenset({"0.1", "0.2", "0.3", "0.4", "0.5"})

_RGB = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))


@dataclass(frozen=True)
class Channel:
    """A channel's name and its display colour (RRGGBB)."""

    name: str
    color: str = "FFFFFF"


RGB_CHANNELS = tuple(Channel(name, color) for name, color in _RGB)
"""The channels of a colour image."""

RGB_COLORS = tuple(color for _, color in _RGB)
"""Their display colours, by which a colour image is known."""


@dataclass(frozen=True)
class Multiscale:
    """What an image's NGFF metadata says: its axes, the paths of its levels, its channels."""

    version: str
    axes: Axes
    paths: tuple[str, ...]
    scales: tuple[tuple[float, ...], ...]
    channels: tuple[Channel, ...]
    is_rgb: bool


def describe(
    image: Multiscale, name: str, windows: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """The group attributes of an image.

    Parameters
    ----------
    image : Multiscale
        The image; levels are halved in y and x, so `scales` is not consulted.
    name : str
        Display name.
    windows : sequence of mapping
        For each channel its contrast window: ``min``, ``max``, ``start``, ``end``.

    Returns
    -------
    dict
        Attributes ready to be stored in the group.
    """
    multiscale = {
        "name": name,
        "axes": [_axis(axis) for axis in image.axes.items],
        "datasets": [_dataset(image.axes, path, k) for k, path in enumerate(image.paths)],
        "type": "mean",
        "metadata": {"description": "level k is level k-1 averaged over 2 x 2 pixels in y and x"},
    }
    omero = {
        "channels": [
            {"label": c.name, "color": c.color, "active": True, "window": dict(window)}
            for c, window in zip(image.channels, windows, strict=True)
        ],
        "rdefs": {"model": "color" if len(image.channels) > 1 else "greyscale"},
    }
    if image.version == "0.5":
        return {"ome": {"version": "0.5", "multiscales": [multiscale], "omero": omero}}
    multiscale["version"] = "0.4"
    return {"multiscales": [multiscale], "omero": {"version": "0.4", **omero}}


def parse(attributes: Mapping[str, Any], where: str) -> Multiscale:
    """The image that a group's attributes describe; `where` names the store in errors.

    Raises
    ------
    NotAnImage
        If they describe none, or one that cannot be read (axes out of order, no scale).
    """
    ome = attributes.get("ome", attributes)
    try:
        multiscale = ome["multiscales"][0]
        datasets = multiscale["datasets"]
        version = str(ome.get("version") or multiscale.get("version") or "0.4")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise NotAnImage(
            f"{where} has no OME-Zarr multiscales: give the path of an image group"
        ) from None
    if version not in _READ:
        raise NotAnImage(f"{where} is OME-Zarr {version}: versions up to 0.5 are read")
    try:
        scales = tuple(_scale(multiscale, dataset) for dataset in datasets)
        axes = _axes(multiscale["axes"], scales[0])
        paths = tuple(str(dataset["path"]) for dataset in datasets)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NotAnImage(f"{where} has OME-Zarr metadata that cannot be read: {error}") from None
    channels = _channels(ome.get("omero"))
    is_rgb = tuple(c.color.upper() for c in channels) == RGB_COLORS
    return Multiscale(version, axes, paths, scales, channels, is_rgb)


def _axis(axis: Axis) -> dict[str, str]:
    described = {"name": axis.name, "type": axis.kind}
    return described | ({"unit": axis.unit} if axis.unit else {})


def _dataset(axes: Axes, path: str, level: int) -> dict[str, Any]:
    factor = 2**level
    scale = [a.scale * (factor if a.name in "yx" else 1) for a in axes.items]
    shift = [a.scale * (factor - 1) / 2 if a.name in "yx" else 0.0 for a in axes.items]
    return {
        "path": path,
        "coordinateTransformations": [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": shift},
        ],
    }


def _scale(multiscale: Mapping[str, Any], dataset: Mapping[str, Any]) -> tuple[float, ...]:
    total = [1.0] * len(multiscale["axes"])
    for owner in (dataset, multiscale):
        for transform in owner.get("coordinateTransformations", ()):
            if transform["type"] == "scale":
                total = [a * float(b) for a, b in zip(total, transform["scale"], strict=True)]
    return tuple(total)


def _axes(described: Sequence[Any], scale: Sequence[float]) -> Axes:
    items = []
    for axis, step in zip(described, scale, strict=True):
        name = axis if isinstance(axis, str) else axis["name"]
        if name not in ORDER:
            raise ValueError(f"axis {name!r} is not one of {', '.join(ORDER)}")
        unit = None if isinstance(axis, str) else axis.get("unit")
        items.append(Axis(name, step if step > 0 else 1.0, unit))
    return Axes(tuple(items))


def _channels(omero: Any) -> tuple[Channel, ...]:
    if not isinstance(omero, Mapping) or not isinstance(omero.get("channels"), list):
        return ()
    return tuple(
        Channel(str(entry.get("label", f"channel {i}")), str(entry.get("color", "FFFFFF")))
        for i, entry in enumerate(omero["channels"])
    )
