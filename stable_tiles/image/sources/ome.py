"""OME-XML: pixel sizes, time step and channels of one image of an OME-TIFF."""

from __future__ import annotations

from xml.etree import ElementTree

from stable_tiles.image.ngff import Channel
from stable_tiles.image.sources.source import Calibration
from stable_tiles.image.sources.units import space_unit, time_unit

MAX_XML_BYTES = 256 * 2**20
"""Longest OME-XML that is parsed."""


def ome_calibration(xml: str, index: int, name: str) -> Calibration:
    """What OME-XML states about an image; nothing where it cannot be parsed.

    Parameters
    ----------
    xml : str
        The document.
    index, name : int, str
        Place and name of the image; the name decides where it is unique.
    """
    if len(xml) > MAX_XML_BYTES:
        return Calibration(metadata={"format": "ome"})
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError):
        return Calibration(metadata={"format": "ome"})
    pixels = _pixels(root, index, name)
    if pixels is None:
        return Calibration(metadata={"format": "ome"})
    scale: dict[str, float] = {}
    units: dict[str, str | None] = {}
    for axis in "zyx":
        size = _positive(pixels.get(f"PhysicalSize{axis.upper()}"))
        unit = space_unit(pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm"))
        if size is not None and unit is not None:
            scale[axis], units[axis] = size, unit
    interval = _positive(pixels.get("TimeIncrement"))
    if interval is not None:
        scale["t"] = interval
        units["t"] = time_unit(pixels.get("TimeIncrementUnit", "s"))
    metadata: dict[str, object] = {"format": "ome"}
    if (power := _objective(root)) is not None:
        metadata["objective"] = power
    return Calibration(scale, units, _channels(pixels), metadata)


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [child for child in element if _local(child) == name]


def _pixels(root: ElementTree.Element, index: int, name: str) -> ElementTree.Element | None:
    images = _children(root, "Image")
    named = [image for image in images if name and image.get("Name") == name]
    chosen = named if len(named) == 1 else images[index : index + 1]
    return next((p for image in chosen for p in _children(image, "Pixels")), None)


def _positive(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def _objective(root: ElementTree.Element) -> float | None:
    powers = [e.get("NominalMagnification") for e in root.iter() if _local(e) == "Objective"]
    return _positive(powers[0]) if len(powers) == 1 else None


def _channels(pixels: ElementTree.Element) -> tuple[Channel, ...]:
    """The channels, where at least one has a name or a colour.

    OME's Channel Color is a signed 32-bit integer of the bytes R, G, B, A.
    """
    found = _children(pixels, "Channel")
    if not any(c.get("Name") or c.get("Color") for c in found):
        return ()
    channels = []
    for i, channel in enumerate(found):
        try:
            color = f"{int(channel.get('Color', '-1')) >> 8 & 0xFFFFFF:06X}"
        except ValueError:
            color = "FFFFFF"
        channels.append(Channel(channel.get("Name") or f"channel {i}", color))
    return tuple(channels)
