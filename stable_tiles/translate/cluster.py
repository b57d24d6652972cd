"""Cluster: the Dask workers of one translation; started and stopped here only.

Each worker is a spawned process of its own, watched by a nanny.  Scheduler,
workers and the dashboard, if one is wanted, listen on the loopback address alone.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster
from tornado.ioloop import PeriodicCallback

from stable_tiles.errors import InputError, MissingExtra, first_line
from stable_tiles.translate.hardware import Resources
from stable_tiles.translate.options import Hardware
from stable_tiles.translate.tools import DEPTH

LOOPBACK = "127.0.0.1"

CONNECT_S = 20
"""Seconds to wait for a scheduler that should be running."""

CLOSE_S = 5
"""Seconds that an own cluster has to shut down once its workers are gone."""

RESTART = "1 hour"
"""How long a worker that died may take to start again.

After fifteen seconds, Dask's own patience, it would be gone for good, and the job with the last.
"""

ASK_S = 10
"""Seconds between requests to SLURM for jobs that are missing."""

_LOUDNESS = "CRITICAL"

_CONFIG = {
    "distributed.comm.retry.count": 2,
    # What ended with two workers is tried again by itself: see `Stream`.
    "distributed.scheduler.allowed-failures": 1,
    "distributed.admin.system-monitor.gil.enabled": False,
    # Of each connection it keeps so many batches of messages, which nobody reads here.
    "distributed.admin.low-level-log-length": 10,
}


@contextmanager
def connected(hardware: Hardware, resources: Resources) -> Iterator[Client]:
    """A client of the cluster that was asked for: one's own, a running one, or SLURM.

    Raises
    ------
    InputError
        If the scheduler does not answer, or another program has the dashboard's port.
    MissingExtra
        If SLURM was asked for without dask-jobqueue, or the dashboard without bokeh.
    """
    logging.getLogger("distributed").setLevel(_LOUDNESS)
    patience = {} if hardware.slurm else {"distributed.deploy.lost-worker-timeout": RESTART}
    with dask.config.set(_CONFIG | _quiet_workers() | patience):
        if hardware.scheduler:
            with _running(hardware.scheduler) as client:
                yield client
            return
        shown = _shown(hardware.dashboard)
        cluster = _slurm(hardware.slurm, shown) if hardware.slurm else _own(resources, shown)
        try:
            with _client(cluster) as client, ExitStack() as kept:
                if hardware.slurm:
                    kept.enter_context(_kept_at(cluster, resources.workers))
                yield client
        finally:
            if not hardware.slurm:
                _dismiss(cluster)
            with suppress(TimeoutError):
                cluster.close(timeout=CLOSE_S)


def _quiet_workers() -> dict[str, Any]:
    """Worker processes must be told before they start, and log nothing of their own."""
    key = "distributed.nanny.pre-spawn-environ"
    # Threads that wait spin no longer than they must: other workers share the cores.
    # All share one arena, as `use_one_arena` says.
    own = {
        "DASK_LOGGING__DISTRIBUTED": _LOUDNESS,
        "OMP_WAIT_POLICY": "PASSIVE",
        "MALLOC_ARENA_MAX": "1",
    }
    return {key: {**dask.config.get(key), **own}}


def _dismiss(cluster: Any) -> None:
    """End the workers at once: what they have finished is on disk with its receipt."""
    for nanny in cluster.workers.values():
        nanny.close_gracefully("done")
        if nanny.pid:
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)


def _shown(port: int | None) -> dict[str, Any]:
    """What tells a scheduler to serve a dashboard at a port, or none."""
    if port is None:
        return {"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}
    if not find_spec("bokeh"):
        raise MissingExtra("--dashboard needs bokeh: pip install 'stable-tiles[dashboard]'")
    with socket.socket() as probe:
        # As a server would: what an earlier one left in TIME_WAIT does not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            reason = f"--dashboard {port}: {first_line(error)}: give another port"
            raise InputError(reason) from None
    return {"dashboard": True, "dashboard_address": f"{LOOPBACK}:{port}"}


def _own(resources: Resources, shown: dict[str, Any]) -> Any:
    # Pixels in flight are bounded by the plan; Dask's own limit would count
    # pinned memory and pause or kill a worker that is well.
    common = {
        "nthreads": DEPTH,
        "memory_limit": 0,
        "host": LOOPBACK,
        "dashboard": False,
    }
    workers = {
        index: {"cls": Nanny, "options": {**common, "env": _environment(index, resources)}}
        for index in range(resources.workers)
    }
    scheduler = {"host": LOOPBACK, "port": 0, **shown}
    return SpecCluster(  # type: ignore[no-untyped-call]  # distributed is untyped
        workers=workers,
        scheduler={"cls": Scheduler, "options": scheduler},
        silence_logs=_LOUDNESS,
    )


def _environment(index: int, resources: Resources) -> dict[str, str]:
    if not resources.gpus:
        return {"CUDA_VISIBLE_DEVICES": ""}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = visible.split(",") if visible else [str(k) for k in range(resources.gpus)]
    return {"CUDA_VISIBLE_DEVICES": devices[index % resources.gpus]}


def _client(address: Any = None, scheduler_file: str | None = None) -> Client:
    return Client(  # type: ignore[no-untyped-call]  # distributed is untyped
        address, scheduler_file=scheduler_file, timeout=CONNECT_S
    )


@contextmanager
def _running(scheduler: str) -> Iterator[Client]:
    is_file = "://" not in scheduler
    if is_file and not Path(scheduler).is_file():
        raise InputError(f"--scheduler {scheduler}: no such scheduler file, and no address")
    where = {"scheduler_file": scheduler} if is_file else {"address": scheduler}
    try:
        client = _client(**where)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"--scheduler {scheduler} does not answer: {first_line(error)}") from None
    with client:
        yield client


def _slurm(file: Path | None, shown: dict[str, Any]) -> Any:
    import yaml

    if file is None or not file.is_file():
        raise InputError(f"--slurm {file}: no such file")
    arguments = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(arguments, dict):
        raise InputError(f"--slurm {file} holds no arguments: write queue, cores, memory, walltime")
    own = arguments.pop("scheduler_options", None) or {}
    if shown["dashboard"] and own.keys() & shown:
        raise InputError(f"--dashboard and scheduler_options of {file} are two: drop one of them")
    try:
        from dask_jobqueue import SLURMCluster  # type: ignore[import-not-found]  # an extra
    except ImportError:
        raise MissingExtra("--slurm needs dask-jobqueue: pip install dask-jobqueue") from None
    # Dask would show its own dashboard to everyone.
    return SLURMCluster(**arguments, scheduler_options=shown | own)


@contextmanager
def _kept_at(cluster: Any, workers: int) -> Iterator[None]:
    """Ask for so many workers now and again: jobs end by their time limit, or are lost."""
    again = PeriodicCallback(lambda: cluster.scale(workers), 1000 * ASK_S)
    cluster.scale(workers)
    cluster.loop.add_callback(again.start)
    try:
        yield
    finally:
        cluster.loop.add_callback(again.stop)
