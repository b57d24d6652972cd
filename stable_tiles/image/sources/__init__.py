"""Readers of foreign formats, one module each, all giving a `Source`."""

from stable_tiles.image.sources.choose import open_source
from stable_tiles.image.sources.source import Description, Source, SourceOptions, SourceWarning

__all__ = ["Description", "Source", "SourceOptions", "SourceWarning", "open_source"]
