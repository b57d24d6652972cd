"""Cost: the memory that a worker of a translation takes, told before it works."""

from __future__ import annotations

import numpy as np

from stable_tiles.image.store import Image
from stable_tiles.region import Region
from stable_tiles.sections import Architecture
from stable_tiles.settings import NetworkSettings
from stable_tiles.tiling.plan import largest_region
from stable_tiles.translate.forward import bytes_per_pixel
from stable_tiles.translate.job import Job
from stable_tiles.translate.reader import CACHE_BYTES

PROCESS_BYTES = 450 * 2**20
"""Memory of a process that has loaded PyTorch and Zarr."""

_GPU_BYTES = 64
"""Memory beside a GPU for each pixel of a forward pass."""


def worker_bytes(job: Job, image: Image, settings: Architecture) -> int:
    """Predicted peak memory of one worker, bytes.

    Of three regions in work each may hold what it read, two their feature maps
    where there are two passes, and two what they write and a copy of it that
    is encoded.  An eighth more lies free between tiles of different sizes.
    """
    region = largest_region(job.cut, job.regions)
    spec, box = job.spec, job.cut.reads(region).size
    written = region.size * np.dtype(spec.dtype).itemsize * spec.layout.shape[1]
    reads = box * image.dtype.itemsize * image.shape[1]
    kept = min(CACHE_BYTES, image.levels[0].array.nbytes)
    features = 0
    if job.cut.first and isinstance(settings, NetworkSettings):
        features = box * 4 * settings.features
    network = _pass_pixels(job, region) * job.forward.lanes
    network *= bytes_per_pixel(settings) if job.forward.device == "cpu" else _GPU_BYTES
    taken = PROCESS_BYTES + 3 * reads + 2 * features + 4 * written + kept + network
    return taken * 9 // 8


def _pass_pixels(job: Job, region: Region) -> int:
    """Pixels of the largest forward pass, over all planes of its batch."""
    tile = job.cut.largest_tile(region)
    if job.survey:
        height, width = job.survey.grid.largest
        tile = max(tile, height * width)
    planes = region.shape[0] * region.shape[1]
    return tile * min(planes, max(1, job.forward.batch_pixels // tile))
