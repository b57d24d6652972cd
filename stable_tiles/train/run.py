"""The verb: train a model on two domains of images, into a run that can be resumed."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from threading import Event

import torch

from stable_tiles.errors import SettingsError
from stable_tiles.progress import Progress, silent
from stable_tiles.settings import Settings
from stable_tiles.train.device import choose_device, choose_precision
from stable_tiles.train.domains import Stores
from stable_tiles.train.folder import RunFolder
from stable_tiles.train.parallel import Team, together
from stable_tiles.train.peers import ALONE, Peers
from stable_tiles.train.report import TrainOptions, TrainReport
from stable_tiles.train.stop import stop_requests
from stable_tiles.train.work import Job, work

__all__ = ["TrainOptions", "TrainReport", "train"]


def train(
    settings: Settings,
    sources: Stores,
    targets: Stores,
    out: str | Path,
    options: TrainOptions | None = None,
    progress: Progress = silent,
) -> TrainReport:
    """Train a model that translates source images to target images and back.

    Parameters
    ----------
    settings : Settings
        See `load_settings`.
    sources, targets : sequence of paths
        OME-Zarr stores of the domains A and B; nothing needs to be paired.  The
        denoiser (method ``support``) learns from sources alone: no targets.
    out : path
        The run's folder: ``config.yaml``, ``model.safetensors`` and
        ``model.json`` (from the first checkpoint on), ``checkpoints/``,
        ``log.jsonl``, ``previews/``, ``report.html``.
    options : TrainOptions, optional
    progress : Progress
        Told the steps done.

    Returns
    -------
    TrainReport

    Raises
    ------
    InputError
        If the stores do not fit each other or the settings (found before any work).
    OutputExists
        If `out` exists and is neither to be resumed nor overwritten.
    FingerprintMismatch
        If the run to resume was begun with other settings or stores.
    WorkFailed
        If a loss is not finite or a store cannot be read; the last checkpoint stays.
    Interrupted
        After SIGINT or SIGTERM; a checkpoint is written first.

    Notes
    -----
    On CPUs, with one number of threads and of processes, a run that was killed
    and resumed has the weights and the logged losses of one that was not, bit
    for bit.  Any number of processes takes the same patches in each step;
    their losses and gradients are the same up to rounding, but for batch
    norms, which see each process's patches alone on CPUs.
    """
    options = options or TrainOptions()
    RunFolder(Path(out)).check(options.existing)
    device = choose_device(options.device, options.processes)
    _check_division(settings, options.processes)
    job = Job(_resolve(settings, device), (sources, targets), Path(out), options, device)
    if options.processes == 1 or options.dry_run:
        return work(job, ALONE, stop_requests(), progress)
    team = Team(options.processes, "cuda" if device.type == "cuda" else "cpu")
    with stop_requests() as stop:
        return together(partial(_work_together, job), team, stop, progress)


def _work_together(job: Job, peers: Peers, stop: Event, progress: Progress) -> TrainReport:
    return work(job, peers, nullcontext(stop), progress)


def _resolve(settings: Settings, device: torch.device) -> Settings:
    precision = choose_precision(settings.training.precision, device)
    training = settings.training.model_copy(update={"precision": precision})
    return settings.model_copy(update={"training": training})


def _check_division(settings: Settings, processes: int) -> None:
    batch, parts = settings.data.batch, processes * settings.training.accumulate
    if batch % parts:
        shared = f"{processes} processes"
        if settings.training.accumulate > 1:
            shared += f" with training.accumulate {settings.training.accumulate}"
        raise SettingsError(
            f"data.batch {batch} is shared by {shared}: use a multiple of {parts}, "
            f"such as --set data.batch={parts * -(-batch // parts)}"
        )
