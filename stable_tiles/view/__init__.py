"""Verb: stores on a page of this machine, or as static files for any web server."""

from stable_tiles.view.export import ExportedView, ViewExportOptions, export_view
from stable_tiles.view.verb import Viewer, view
from stable_tiles.view.volumes import VolumeViewer, view_volumes

__all__ = [
    "ExportedView",
    "ViewExportOptions",
    "Viewer",
    "VolumeViewer",
    "export_view",
    "view",
    "view_volumes",
]
