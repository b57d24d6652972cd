"""Verb: a store becomes an OME-TIFF or a NIfTI file again."""

from stable_tiles.export.options import ExportOptions
from stable_tiles.export.report import ExportReport
from stable_tiles.export.verb import export

__all__ = ["ExportOptions", "ExportReport", "export"]
