"""`view_volumes`: stores in Neuroglancer, which cuts volumes along three planes and steps in time.

Its server and its client come from the package ``neuroglancer``; this module
adds the stores to that server, under a path that cannot be guessed, so that
everything comes from one address of this machine.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stable_tiles.axes import Axis
from stable_tiles.errors import MissingExtra
from stable_tiles.image.store import Image, open_image
from stable_tiles.view.contrast import window
from stable_tiles.view.server import ADDRESS
from stable_tiles.view.showing import Showing
from stable_tiles.view.site import Refused, Site, page_folder
from stable_tiles.view.sources import Source, served_url, sources

_UNITS = {
    "angstrom": (1e-10, "m"),
    "nanometer": (1e-9, "m"),
    "micrometer": (1e-6, "m"),
    "millimeter": (1e-3, "m"),
    "meter": (1.0, "m"),
    "millisecond": (1e-3, "s"),
    "second": (1.0, "s"),
    "minute": (60.0, "s"),
    "hour": (3600.0, "s"),
}
"""SI values of the units that microscopes use; others have none there."""

_GREY = """#uicontrol invlerp normalized
#uicontrol vec3 colour color(default="#%s")
void main() { emitRGB(colour * normalized()); }
"""

_COLOUR = """void main() {
  emitRGB(vec3(toNormalized(getDataValue(0)), toNormalized(getDataValue(1)),
               toNormalized(getDataValue(2))));
}
"""


@dataclass(frozen=True)
class VolumeViewer(Showing):
    """Neuroglancer with stores in it."""

    _viewer: Any

    def wait(self) -> None:
        """Never return; an interruption passes through."""
        while True:
            time.sleep(0.5)

    def close(self) -> None:
        """Stop serving."""
        _neuroglancer().stop()


def view_volumes(stores: Sequence[str | Path], port: int | None = None) -> VolumeViewer:
    """Serve stores in Neuroglancer, in the background, until it is closed.

    Only the loopback address is listened on, and only these stores are served.

    Parameters
    ----------
    stores : sequence of path
        Local OME-Zarr stores; each channel is a layer, a colour image one.
    port : int, optional
        By default one that is free.

    Raises
    ------
    InputError
        If a store is missing, is no image or is a URL.
    MissingExtra
        If the package neuroglancer is not installed.
    """
    neuroglancer = _neuroglancer()
    shown = sources(stores)
    neuroglancer.set_server_bind_address(ADDRESS, port or 0)
    viewer = neuroglancer.Viewer()
    server = neuroglancer.server.global_server
    secret = secrets.token_urlsafe(16)
    _add_files(server.app, secret, Site(page_folder(), shown))
    images = [open_image(source.folder) for source in shown]
    deep = any(image.shape[2] > 1 for image in images)
    with viewer.txn() as state:
        for source, image in zip(shown, images, strict=True):
            address = f"{server.server_url}/{secret}/{served_url(source)}"
            for name, layer in _layers(neuroglancer, image, source, address):
                state.layers[name] = layer
        # Named before any store is read, so that x, y and z, the first three, are what is cut.
        state.dimensions = _space(neuroglancer, _seen(images))
        state.layout = "4panel" if deep else "xy"
    return VolumeViewer(viewer.get_viewer_url(), shown, viewer)


def _neuroglancer() -> Any:
    try:
        import neuroglancer
    except ImportError:
        raise MissingExtra(
            "--viewer neuroglancer needs a package: pip install 'stable-tiles[neuroglancer]'"
        ) from None
    return neuroglancer


def _add_files(app: Any, secret: str, site: Site) -> None:
    """Let the server answer with the files of the stores, ranges too, and no other."""
    from tornado.web import HTTPError, RequestHandler, StaticFileHandler

    class Files(StaticFileHandler):  # type: ignore[misc]  # optional, so unknown here
        def validate_absolute_path(self, root: str, absolute_path: str) -> str:
            try:
                return str(site.file(f"/{quote(self.path)}"))
            except Refused as refused:
                raise HTTPError(refused.status) from None

    class Icon(RequestHandler):  # type: ignore[misc]  # as above
        def get(self) -> None:
            self.set_status(204)

    files = (rf"/{secret}/(stores/.*)", Files, {"path": str(site.page)})
    app.add_handlers(".*", [files, (r"/favicon\.ico", Icon)])


def _layers(neuroglancer: Any, image: Image, source: Source, address: str) -> list[tuple[str, Any]]:
    """A layer of a colour image, else one a channel, with contrast and colour."""
    url = f"zarr{source.zarr_format}://{address}/"
    if image.is_rgb:
        transform = _transform(neuroglancer, image, "c^")
        data = neuroglancer.LayerDataSource(url=url, transform=transform)
        return [(source.name, neuroglancer.ImageLayer(source=data, shader=_COLOUR))]
    data = neuroglancer.LayerDataSource(url=url, transform=_transform(neuroglancer, image, "c'"))
    layers = []
    for index, channel in enumerate(image.channels):
        low, high = window(image, index)
        layer = neuroglancer.ImageLayer(
            source=data,
            shader=_GREY % channel.color,
            shader_controls={"normalized": {"range": [low, high]}},
            blend="additive",
            opacity=1.0,
        )
        if "c" in image.axes.names:
            layer.local_position = [index]
        several = len(image.channels) > 1
        layers.append((f"{source.name} {channel.name}" if several else source.name, layer))
    return layers


def _transform(neuroglancer: Any, image: Image, channel: str) -> Any:
    """The axes as Neuroglancer names them, in SI units; channels apart from the space."""
    names = [channel if axis.name == "c" else axis.name for axis in image.axes.items]
    space = _space(neuroglancer, dict(zip(names, image.axes.items, strict=True)))
    return neuroglancer.CoordinateSpaceTransform(output_dimensions=space)


def _seen(images: Sequence[Image]) -> dict[str, Axis]:
    """The axes that any image has but for channels, those of space first: x, y, z, t."""
    found = {axis.name: axis for image in reversed(images) for axis in image.axes.items}
    return {name: found[name] for name in "xyzt" if name in found}


def _space(neuroglancer: Any, axes: Mapping[str, Axis]) -> Any:
    """A space of axes by their names in it; channels are counted."""
    units = [_UNITS.get(axis.unit or "", (1.0, "")) for axis in axes.values()]
    return neuroglancer.CoordinateSpace(
        names=list(axes),
        units=[unit for _, unit in units],
        scales=[
            1.0 if axis.name == "c" else axis.scale * factor
            for axis, (factor, _) in zip(axes.values(), units, strict=True)
        ],
    )
