"""Verb: stores on a page of this machine, or as static files for any web server."""

from stable_tiles.view.export import ExportedView, ViewExportOptions, export_view
from stable_tiles.view.verb import Viewer, view

__all__ = ["ExportedView", "ViewExportOptions", "Viewer", "export_view", "view"]
