"""Calibration of TIFF files: pixel sizes, time steps and channels, by the dialect of the file.

Free text is never copied: names of persons, machines and folders hide there.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import tifffile

from stable_tiles.image.ngff import Channel
from stable_tiles.image.sources.ome import ome_calibration
from stable_tiles.image.sources.source import Calibration
from stable_tiles.image.sources.units import space_unit, time_unit

MAX_PLAUSIBLE_UM = 50.0
"""Pixel size above which a resolution tag describes a screen or printer, not a microscope."""

_MICROMETERS = {2: 25_400.0, 3: 10_000.0}
"""Micrometres in the unit of TIFF's ResolutionUnit: inch and centimetre."""

_NDPI_OBJECTIVE = 65421


def calibration_of(tiff: tifffile.TiffFile, index: int) -> Calibration:
    """What the file states about one of its series.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        The open file.
    index : int
        Which series.
    """
    series = tiff.series[index]
    if series.kind == "ome" and tiff.ome_metadata:
        return ome_calibration(tiff.ome_metadata, index, series.name)
    if series.kind == "imagej" and tiff.imagej_metadata:
        return _imagej(tiff.imagej_metadata, series.keyframe)
    if series.kind == "svs":
        return _aperio(series.keyframe.description)
    if series.kind == "qpi":
        return _qptiff(series)
    metadata = {"format": series.kind}
    if series.kind == "ndpi":
        metadata |= {"objective": series.keyframe.tags.valueof(_NDPI_OBJECTIVE)}
    scale, units = _resolution(series.keyframe)
    return Calibration(scale, units, (), metadata)


def _resolution(page: tifffile.TiffPage) -> tuple[dict[str, float], dict[str, str | None]]:
    """Pixel size from the resolution tags, where it is a microscope's."""
    factor = _MICROMETERS.get(int(page.resolutionunit))
    across, down = page.resolution
    if factor is None or across <= 0 or down <= 0:
        return {}, {}
    y, x = factor / down, factor / across
    if max(y, x) > MAX_PLAUSIBLE_UM:
        return {}, {}
    return {"y": y, "x": x}, {"y": "micrometer", "x": "micrometer"}


def _imagej(metadata: dict[str, Any], page: tifffile.TiffPage) -> Calibration:
    """Calibration as ImageJ writes it: pixels per unit, spacing, frame interval, look-up tables."""
    unit = space_unit(str(metadata.get("unit", "")))
    if unit is None:
        scale, units = _resolution(page)
    else:
        across, down = page.resolution
        scale = {"y": 1 / down, "x": 1 / across} if min(across, down) > 0 else {}
        units = dict.fromkeys(scale, unit)
        if float(metadata.get("spacing", 0) or 0) > 0:
            scale["z"], units["z"] = float(metadata["spacing"]), unit
    interval = float(metadata.get("finterval", 0) or 0)
    if interval > 0:
        scale["t"] = interval
        units["t"] = time_unit(str(metadata.get("tunit", "sec"))) or "second"
    stored = {key: metadata[key] for key in ("cf", "c0", "c1") if key in metadata}
    extra = {"calibration": stored} if stored else {}
    return Calibration(scale, units, _lookup_channels(metadata), {"format": "imagej", **extra})


def _lookup_channels(metadata: dict[str, Any]) -> tuple[Channel, ...]:
    """Channels in the colours of ImageJ's look-up tables, each named by its number."""
    tables = metadata.get("LUTs", [])
    colors = ["".join(f"{int(part[-1]):02X}" for part in table) for table in tables]
    return tuple(Channel(f"channel {i}", color) for i, color in enumerate(colors))


def _aperio(description: str) -> Calibration:
    """Pixel size and objective from an Aperio image description (``MPP = 0.499``)."""
    size = re.search(r"\|\s*MPP\s*=\s*([\d.]+)", description)
    power = re.search(r"\|\s*AppMag\s*=\s*([\d.]+)", description)
    metadata: dict[str, Any] = {"format": "svs"}
    if power:
        metadata["objective"] = float(power[1])
    if not size or not float(size[1]) > 0:
        return Calibration(metadata=metadata)
    scale = dict.fromkeys("yx", float(size[1]))
    return Calibration(scale, dict.fromkeys("yx", "micrometer"), (), metadata)


def _qptiff(series: tifffile.TiffPageSeries) -> Calibration:
    """Channel names, colours and the objective from the pages of a PerkinElmer QPTIFF."""
    scale, units = _resolution(series.keyframe)
    channels, objectives = [], []
    for page in series:
        try:
            root = ElementTree.fromstring(getattr(page, "description", ""))
        except (ElementTree.ParseError, ValueError):
            continue
        name = root.findtext("Name")
        color = re.fullmatch(r"(\d+),(\d+),(\d+)", root.findtext("Color") or "")
        objectives += re.findall(r"[\d.]+", root.findtext("Objective") or "")[:1]
        if name:
            rgb = "".join(f"{min(int(n), 255):02X}" for n in color.groups()) if color else "FFFFFF"
            channels.append(Channel(name, rgb))
    metadata = {"format": "qptiff", **({"objective": float(objectives[0])} if objectives else {})}
    return Calibration(scale, units, tuple(channels), metadata)
