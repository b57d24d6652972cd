"""The verb: train a model on two domains of images, into a run that can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from stable_tiles.ledger import digest_of
from stable_tiles.methods.choose import create
from stable_tiles.methods.method import Method
from stable_tiles.model import Model
from stable_tiles.networks.translator import Translator
from stable_tiles.progress import Progress, silent
from stable_tiles.provenance import versions
from stable_tiles.settings import Settings
from stable_tiles.train.average import Average
from stable_tiles.train.device import DeviceName, choose_device, choose_precision
from stable_tiles.train.domains import Data, Stores, describe, open_data
from stable_tiles.train.folder import Existing, RunFolder
from stable_tiles.train.log import LossLog
from stable_tiles.train.loop import run_steps
from stable_tiles.train.skip import count_skipped, start_skipping
from stable_tiles.train.stop import stop_requests
from stable_tiles.train.training import Training, restore

TIMED = 64
"""Patches that a dry run reads from each domain to measure their rate."""

FREE_TO_CHANGE = {
    "training": {
        "steps",
        "log_every",
        "preview_every",
        "validate_every",
        "checkpoint_every",
        "keep_checkpoints",
    },
    "data": {"workers"},
}
"""Settings that a resumed run may change: they do not touch what a step computes."""


@dataclass(frozen=True)
class TrainOptions:
    """How to train, apart from what: nothing here changes the model.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
    existing : {"refuse", "overwrite", "resume"}
        What to do with a run that exists; `resume` also starts one that does not.
    dry_run : bool
        Check data and settings and measure, but write nothing.
    split : bool
        The stores are pairs, to be divided between the domains.
    val_sources, val_targets : sequence of paths
        Held-out images of both domains.
    skip_bad : bool
        Go on without stores that cannot be used and blocks that cannot be
        read; each is logged and counted.
    """

    device: DeviceName = "auto"
    existing: Existing = "refuse"
    dry_run: bool = False
    split: bool = False
    val_sources: Stores = ()
    val_targets: Stores = ()
    skip_bad: bool = False


@dataclass(frozen=True)
class TrainReport:
    """What was trained, or would be.

    `parameters` counts both directions of the translator; `reach` is in
    pixels by direction (None: no limit); `split` says which part of which
    store belongs to which domain (see `Split`); `reuse` is the number of
    patches that each decoded block serves (the larger of both domains);
    `skipped` counts bad blocks and stores; rates are of this call and count patches
    of both domains; `losses` are the means of the last logged steps, empty
    where no step was taken.
    """

    run: str
    method: str
    device: str
    precision: str
    parameters: int
    reach: dict[str, int | None]
    stride: int
    steps: int
    resumed_from: int
    losses: dict[str, float]
    split: dict[str, Any]
    reuse: int
    skipped: int
    seconds: float
    steps_per_second: float
    patches_per_second: float
    dry_run: bool


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
        OME-Zarr stores of the domains A and B; nothing needs to be paired.
    out : path
        The run's folder: ``config.yaml``, ``model.safetensors`` and
        ``model.json`` (from the first checkpoint on), ``checkpoints/``,
        ``log.jsonl``, ``previews/``.
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
    On one CPU, with one number of threads, a run that was killed and resumed
    has the weights and the logged losses of one that was not, bit for bit.
    """
    options = options or TrainOptions()
    run = RunFolder(Path(out))
    run.check(options.existing)
    device = choose_device(options.device)
    resolved = _resolve(settings, device)
    held_out = (options.val_sources, options.val_targets)
    data = open_data(
        resolved, (sources, targets), held_out, split=options.split, skip_bad=options.skip_bad
    )
    with _seeded(resolved.training.seed, device):
        method = create(resolved, data.a.channels, data.b.channels, device)
        if options.dry_run:
            return _rehearse(resolved, data, method, run)
        if options.existing == "overwrite":
            run.remove()
        return _train(_assemble(resolved, data, method, run), data, progress)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from a generator of this seed; the caller's is left as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _resolve(settings: Settings, device: torch.device) -> Settings:
    precision = choose_precision(settings.training.precision, device)
    training = settings.training.model_copy(update={"precision": precision})
    return settings.model_copy(update={"training": training})


def _rehearse(settings: Settings, data: Data, method: Method, run: RunFolder) -> TrainReport:
    began = time.perf_counter()
    for i in range(TIMED):
        data.a.patch(i)
        data.b.patch(i)
    seconds = time.perf_counter() - began
    found = [fault for patches in (data.a, data.b) for fault in patches.faults.due(TIMED)]
    return replace(
        _report(settings, data, method, run),
        skipped=len(found) + len(data.left_out),
        seconds=seconds,
        patches_per_second=2 * TIMED / seconds,
        dry_run=True,
    )


def _assemble(settings: Settings, data: Data, method: Method, run: RunFolder) -> Training:
    ema = settings.training.ema
    average = Average(method.network, ema) if ema else None
    network = method.network if average is None else average.network
    kept = settings.model_dump(mode="json", exclude=FREE_TO_CHANGE)
    inputs = {"config": digest_of(kept), **data.digests}
    return Training(
        settings=settings,
        method=method,
        average=average,
        data=(data.a, data.b),
        held_out=data.held_out,
        run=run,
        log=LossLog(run.log, 2 * settings.data.batch),
        save_model=_model_writer(settings, data, network, run),
        inputs=inputs,
        device=next(network.parameters()).device,
    )


def _model_writer(
    settings: Settings, data: Data, network: Translator, run: RunFolder
) -> Callable[[int], None]:
    """What writes everything that `translate` needs, after some steps."""
    domains = {"a": describe(data.a, settings), "b": describe(data.b, settings)}
    provenance = {
        "versions": versions(),
        "settings": digest_of(settings.model_dump(mode="json")),
        "seed": settings.training.seed,
        **data.provenance,
    }

    def write(step: int) -> None:
        model = Model(network, settings.network, domains, {**provenance, "steps": step})
        model.save(run.path)

    return write


def _train(training: Training, data: Data, progress: Progress) -> TrainReport:
    first = restore(training)
    training.run.write_config(training.settings)
    training.run.write_split(data.split)
    start_skipping(training, data.left_out, first)
    training.log.start(first)
    began = time.perf_counter()
    with stop_requests() as stop:
        run_steps(training, first, stop, progress)
    seconds, last = time.perf_counter() - began, training.settings.training.steps
    rate = (last - first) / seconds
    report = _report(training.settings, data, training.method, training.run)
    return replace(
        report,
        steps=last,
        resumed_from=first,
        losses=training.log.last,
        skipped=count_skipped(training),
        seconds=seconds,
        steps_per_second=rate,
        patches_per_second=2 * training.settings.data.batch * rate,
    )


def _report(settings: Settings, data: Data, method: Method, run: RunFolder) -> TrainReport:
    """What is known before any step."""
    network = method.network
    return TrainReport(
        run=str(run.path),
        method=settings.method,
        device=next(network.parameters()).device.type,
        precision=settings.training.precision,
        parameters=sum(p.numel() for p in network.parameters()),
        reach={"a2b": network.reach("a2b"), "b2a": network.reach("b2a")},
        stride=network.stride,
        steps=settings.training.steps,
        resumed_from=0,
        losses={},
        split=data.split.to_json(),
        reuse=max(data.a.schedule.reuse, data.b.schedule.reuse),
        skipped=0,
        seconds=0.0,
        steps_per_second=0.0,
        patches_per_second=0.0,
        dry_run=False,
    )
