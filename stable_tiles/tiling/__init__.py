"""Geometry of tiles and regions: pure numbers, no torch, dask or zarr."""
