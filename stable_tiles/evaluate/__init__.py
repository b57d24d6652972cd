"""Measure translations against truth."""
