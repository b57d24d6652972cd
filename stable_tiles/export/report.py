"""ExportReport: what an export did, or would do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExportReport:
    """What an export did, or with ``dry_run`` would do.

    Parameters
    ----------
    output : str
        The file.
    format : str
        ``ome-tiff``, ``tiff`` (one plane) or ``nifti``.
    shape : tuple of int
        Shape of the image along `axes`.
    axes : str
        Names of the store's axes.
    dtype : str
        Dtype of the pixels.
    levels : int
        Number of resolutions written.
    scale : dict
        Scale by axis.
    unit : str or None
        Unit of length; None where unknown.
    bytes_raw : int
        All pixels that are written, uncompressed: what the file takes at most.
    bytes_out : int
        Size of the file (0 for a dry run).
    memory_bytes : int
        Upper estimate of the memory.
    seconds : float
        Wall time.
    peak_rss_bytes : int
        Largest resident memory of the process so far.
    dry_run : bool
        Whether nothing was written.
    """

    output: str
    format: str
    shape: tuple[int, ...]
    axes: str
    dtype: str
    levels: int
    scale: dict[str, float]
    unit: str | None
    bytes_raw: int
    bytes_out: int
    memory_bytes: int
    seconds: float
    peak_rss_bytes: int
    dry_run: bool
