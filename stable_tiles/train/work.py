"""The work of one process of a training: from opened stores to a trained model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import torch

from stable_tiles.card import write_card
from stable_tiles.ledger import digest_of
from stable_tiles.methods.choose import create
from stable_tiles.methods.method import Method
from stable_tiles.model import Model
from stable_tiles.networks.network import Network
from stable_tiles.progress import Progress
from stable_tiles.provenance import versions
from stable_tiles.settings import Settings, dump_tree
from stable_tiles.train.average import Average
from stable_tiles.train.device import deterministic
from stable_tiles.train.domains import Data, Stores, describe, open_data
from stable_tiles.train.folder import RunFolder
from stable_tiles.train.log import LossLog
from stable_tiles.train.loop import run_steps
from stable_tiles.train.peers import Peers
from stable_tiles.train.report import TrainOptions, TrainReport
from stable_tiles.train.skip import count_skipped, start_skipping
from stable_tiles.train.tensorboard import Board
from stable_tiles.train.training import Training, restore
from stable_tiles.translate.memory import keep_freed_memory, use_one_arena

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
class Job:
    """What every process of a training is told.

    Parameters
    ----------
    settings : Settings
        Resolved: nothing in them is left to the device.
    stores : pair of sequences of paths
        Of A and of B.
    out : Path
        The run's folder.
    options : TrainOptions
    device : torch.device
        Of the process alone; of several, process `i` has GPU `i`.
    """

    settings: Settings
    stores: tuple[Stores, Stores]
    out: Path
    options: TrainOptions
    device: torch.device

    def device_of(self, peers: Peers) -> torch.device:
        """Where a process computes."""
        several = self.device.type == "cuda" and peers.size > 1
        return torch.device("cuda", peers.rank) if several else self.device


def work(
    job: Job, peers: Peers, stops: AbstractContextManager[Event], progress: Progress
) -> TrainReport:
    """Train, or rehearse, as one of the processes that do.

    Parameters
    ----------
    job : Job
    peers : Peers
    stops : context manager of Event
        Entered when there is something to keep: a wish to stop after a checkpoint.
    progress : Progress
        Told the steps done.
    """
    options, settings, device = job.options, job.settings, job.device_of(peers)
    if device.type == "cpu":
        use_one_arena()
        keep_freed_memory()
    run = RunFolder(job.out)
    held_out = (options.val_sources, options.val_targets)
    data = open_data(settings, job.stores, held_out, split=options.split, skip_bad=options.skip_bad)
    fixed = deterministic(settings.training.deterministic)
    with _seeded(settings.training.seed, device), fixed:
        channels = data.a.channels, data.b.channels
        method = create(settings, *channels, device, peers.begin_mean)
        if options.dry_run:
            return _rehearse(settings, data, method, run)
        if options.existing == "overwrite" and peers.leads:
            run.remove()
        peers.wait()
        return _train(_assemble(settings, data, method, run, peers), data, stops, progress)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from a generator of this seed; the caller's is left as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _rehearse(settings: Settings, data: Data, method: Method, run: RunFolder) -> TrainReport:
    began = time.perf_counter()
    for i in range(TIMED):
        for patches in data.read:
            patches.patch(i)
    seconds = time.perf_counter() - began
    found = [fault for patches in data.read for fault in patches.faults.due(TIMED)]
    return replace(
        _report(settings, data, method.network, run),
        skipped=len(found) + len(data.left_out),
        seconds=seconds,
        patches_per_second=len(data.read) * TIMED / seconds,
        dry_run=True,
    )


def _assemble(
    settings: Settings, data: Data, method: Method, run: RunFolder, peers: Peers
) -> Training:
    ema = settings.training.ema
    average = Average(method.network, ema) if ema and peers.leads else None
    network = method.network if average is None else average.network
    kept = dump_tree(settings, FREE_TO_CHANGE)
    inputs = {"config": digest_of(kept), **data.digests}
    patches = len(data.read) * settings.data.batch
    log = (
        LossLog(run.log, patches, Board(run.tensorboard)) if peers.leads else LossLog(None, patches)
    )
    return Training(
        settings=settings,
        method=method,
        average=average,
        data=(data.a, data.b),
        held_out=data.held_out,
        run=run,
        log=log,
        save_model=_model_writer(settings, data, network, run),
        inputs=inputs,
        device=next(network.parameters()).device,
        peers=peers,
    )


def _model_writer(
    settings: Settings, data: Data, network: Network, run: RunFolder
) -> Callable[[int], None]:
    """What writes everything that `translate` needs, after some steps."""
    domains = {"a": describe(data.a, settings), "b": describe(data.b, settings)}
    if settings.one_domain:
        # fractions of a photon would be lost in integers
        domains["b"] = replace(domains["b"], dtype="float32")
    provenance = {
        "versions": versions(),
        "settings": digest_of(dump_tree(settings)),
        "seed": settings.training.seed,
        **data.provenance,
    }

    def write(step: int) -> None:
        model = Model(network, network.settings, domains, {**provenance, "steps": step})
        model.save(run.path)
        write_card(model, run.path)

    return write


def _train(
    training: Training, data: Data, stops: AbstractContextManager[Event], progress: Progress
) -> TrainReport:
    first = restore(training)
    if training.peers.leads:
        training.run.write_config(training.settings)
        training.run.write_split(data.split)
    training.peers.wait()
    start_skipping(training, data.left_out, first)
    training.log.start(first)
    began = time.perf_counter()
    with stops as stop:
        run_steps(training, first, stop, progress)
    seconds, last = time.perf_counter() - began, training.settings.training.steps
    rate = (last - first) / seconds
    report = _report(training.settings, data, training.network, training.run)
    return replace(
        report,
        processes=training.peers.size,
        steps=last,
        resumed_from=first,
        losses=training.log.last,
        skipped=count_skipped(training),
        seconds=seconds,
        steps_per_second=rate,
        patches_per_second=len(data.read) * training.settings.data.batch * rate,
    )


def _report(settings: Settings, data: Data, network: Network, run: RunFolder) -> TrainReport:
    """What is known before any step of the network that becomes the model."""
    return TrainReport(
        run=str(run.path),
        method=settings.method,
        device=next(network.parameters()).device.type,
        processes=1,
        precision=settings.training.precision,
        parameters=sum(p.numel() for p in network.parameters()),
        reach={way: network.reach(way) for way in network.directions},
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
