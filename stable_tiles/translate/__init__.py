"""Translate stores of any size, region by region."""
