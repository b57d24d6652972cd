"""Hardware: what was asked for, checked against what there is, before work starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from stable_tiles.errors import DeviceUnavailable, InputError
from stable_tiles.translate.options import Hardware
from stable_tiles.usage import cores


@dataclass(frozen=True)
class Resources:
    """What the work will use.

    Parameters
    ----------
    device : str
        Kind of device.
    workers : int
        Worker processes; 0 works in the calling process.
    gpus : int
        CUDA GPUs in use.
    threads : int or None
        CPU threads of a worker; None on a cluster that runs already.
    """

    device: Literal["cpu", "cuda", "mps"]
    workers: int
    gpus: int
    threads: int | None


def find_resources(wanted: Hardware) -> Resources:
    """The resources for what is wanted.

    Raises
    ------
    DeviceUnavailable
        If this machine lacks the device, or so many GPUs.
    InputError
        If a dashboard is wanted of no worker processes.
    """
    if wanted.scheduler or wanted.slurm:
        cuda = bool(wanted.gpus) or wanted.device == "cuda"
        return Resources("cuda" if cuda else "cpu", wanted.workers or 1, wanted.gpus or 0, None)
    if wanted.device == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceUnavailable("--device mps: this machine has no such GPU: use --device cpu")
        return Resources("mps", 1, 0, _threads(1))
    gpus = _gpus(wanted)
    workers = gpus if wanted.workers is None else wanted.workers
    if wanted.dashboard is not None and not workers:
        raise InputError("--dashboard shows worker processes: add --workers N")
    return Resources("cuda" if gpus else "cpu", workers, gpus, _threads(workers))


def _gpus(wanted: Hardware) -> int:
    if wanted.device == "cpu" or wanted.gpus == 0:
        return 0
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted.device == "cuda" and not found:
        raise DeviceUnavailable("--device cuda: this machine has no CUDA GPU: use --gpus 0 (CPU)")
    if wanted.gpus is not None and wanted.gpus > found:
        fewer = f"--gpus {found} or " if found else ""
        raise DeviceUnavailable(
            f"--gpus {wanted.gpus}: this machine has {found} CUDA GPUs: use {fewer}--gpus 0 (CPU)"
        )
    return found if wanted.gpus is None else wanted.gpus


def _threads(workers: int) -> int:
    return max(1, cores() // workers) if workers else torch.get_num_threads()
