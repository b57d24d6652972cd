"""`view`: stores on a page of this machine, for as long as the viewer is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Thread

from stable_tiles.errors import InputError
from stable_tiles.remote.location import Location
from stable_tiles.view.server import Server
from stable_tiles.view.showing import Showing
from stable_tiles.view.site import Site, page_folder
from stable_tiles.view.sources import sources

PORT = 8700
"""Listened on where no port is asked for and it is free, so that links live longer."""


@dataclass(frozen=True)
class Viewer(Showing):
    """A page that is being served."""

    _server: Server = field(repr=False)
    _thread: Thread = field(repr=False)

    def wait(self) -> None:
        """Return when the viewer is closed; an interruption passes through."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def close(self) -> None:
        """Stop serving; the port is free afterwards."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def view(stores: Sequence[str | Location], port: int | None = None) -> Viewer:
    """Serve a page that shows stores, in the background, until it is closed.

    Only the loopback address is listened on, and only these stores are
    served; nothing can be written through it.

    Parameters
    ----------
    stores : sequence of str, Path or Remote
        OME-Zarr stores: an input and its translation, or any others.
        The first two are compared at first.
    port : int, optional
        0 lets the system choose; by default 8700 where it is free, else as 0.

    Returns
    -------
    Viewer
        Holds the page's address; close it, or use it in a ``with`` block.

    Raises
    ------
    InputError
        If a store is missing or is no image, or the port is taken.
    """
    site = Site(page_folder(), sources(stores))
    server = _listen(site, port)
    thread = Thread(target=server.serve_forever, args=(0.2,), daemon=True)
    thread.start()
    return Viewer(server.url, site.sources, server, thread)


def _listen(site: Site, port: int | None) -> Server:
    if port is not None:
        return Server(site, port)
    try:
        return Server(site, PORT)
    except InputError:
        return Server(site, 0)
