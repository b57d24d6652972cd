"""Readers of foreign formats, one module each, all giving a `Source`."""
