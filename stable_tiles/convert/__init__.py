"""Verb: foreign images become OME-Zarr stores, region by region."""

from stable_tiles.convert.options import ConvertOptions
from stable_tiles.convert.report import ConvertReport
from stable_tiles.convert.verb import convert

__all__ = ["ConvertOptions", "ConvertReport", "convert"]
