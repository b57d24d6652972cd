"""Verb: foreign images become OME-Zarr stores, region by region."""

from stable_tiles.convert.options import ConvertOptions
from stable_tiles.convert.verb import ConvertReport, convert

__all__ = ["ConvertOptions", "ConvertReport", "convert"]
