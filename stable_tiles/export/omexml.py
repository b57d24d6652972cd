"""OME-XML of an image: its dimensions, physical sizes, channels and objective.

Schema: http://www.openmicroscopy.org/Schemas/OME/2016-06
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from stable_tiles import __version__
from stable_tiles.image.store import Image

_NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"

_UNITS = {
    "picometer": "pm",
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "decimeter": "dm",
    "meter": "m",
    "kilometer": "km",
    "inch": "in",
    "foot": "ft",
    "yard": "yd",
    "nanosecond": "ns",
    "microsecond": "µs",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
}

_TYPES = {"float32": "float", "float64": "double"}


def ome_xml(image: Image, dtype: str) -> bytes:
    """The document that stands in the first page of an OME-TIFF.

    Parameters
    ----------
    image : Image
        The store; planes follow one another along z, then c, then t.
    dtype : str
        Dtype of the file's pixels.
    """
    root = ElementTree.Element("OME", xmlns=_NAMESPACE, Creator=f"stable-tiles {__version__}")
    power = _objective(image)
    if power is not None:
        instrument = ElementTree.SubElement(root, "Instrument", ID="Instrument:0")
        ElementTree.SubElement(
            instrument, "Objective", ID="Objective:0:0", NominalMagnification=repr(power)
        )
    element = ElementTree.SubElement(root, "Image", ID="Image:0", Name=_name(image))
    if power is not None:
        ElementTree.SubElement(element, "InstrumentRef", ID="Instrument:0")
        ElementTree.SubElement(element, "ObjectiveSettings", ID="Objective:0:0")
    pixels = ElementTree.SubElement(element, "Pixels", _pixels(image, dtype))
    _describe_channels(pixels, image)
    t, c, z, *_ = image.shape
    planes = t * z * (1 if image.is_rgb else c)
    ElementTree.SubElement(pixels, "TiffData", IFD="0", PlaneCount=str(planes))
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _pixels(image: Image, dtype: str) -> dict[str, str]:
    t, c, z, y, x = image.shape
    attributes = {
        "ID": "Pixels:0",
        "DimensionOrder": "XYCZT" if image.is_rgb else "XYZCT",
        "Type": _TYPES.get(dtype, dtype),
        "BigEndian": "false",
    }
    attributes |= {f"Size{name}": str(n) for name, n in zip("XYCZT", (x, y, c, z, t), strict=True)}
    for axis in image.axes.items:
        unit = _UNITS.get(axis.unit or "")
        if unit is None:
            continue
        name = "TimeIncrement" if axis.name == "t" else f"PhysicalSize{axis.name.upper()}"
        attributes |= {name: repr(float(axis.scale)), f"{name}Unit": unit}
    return attributes


def _describe_channels(pixels: ElementTree.Element, image: Image) -> None:
    if image.is_rgb:
        ElementTree.SubElement(pixels, "Channel", ID="Channel:0:0", SamplesPerPixel="3")
        return
    for index, channel in enumerate(image.channels):
        attributes = {"ID": f"Channel:0:{index}", "Name": channel.name, "SamplesPerPixel": "1"}
        color = _signed_color(channel.color)
        attributes |= {"Color": str(color)} if color is not None else {}
        ElementTree.SubElement(pixels, "Channel", attributes)


def _signed_color(color: str) -> int | None:
    """The colour as OME writes it: the bytes R, G, B, A as a signed 32-bit integer."""
    try:
        value = int(color, 16) << 8 | 0xFF
    except ValueError:
        return None
    return value - (1 << 32) if value >> 31 else value


def _name(image: Image) -> str:
    return image.name.removesuffix(".zarr")


def _objective(image: Image) -> float | None:
    """The objective's magnification, where a conversion kept it."""
    provenance: Any = image.attributes.get("provenance")
    metadata = provenance.get("source_metadata") if isinstance(provenance, dict) else None
    power = metadata.get("objective") if isinstance(metadata, dict) else None
    return float(power) if isinstance(power, int | float) and power > 0 else None
