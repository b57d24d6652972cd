"""Workers that each have an address of their own, in network namespaces of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from distributed import Client

from stable_tiles.image.writer import partial_folder
from stable_tiles.ledger import Ledger
from stable_tiles.translate.options import StoreOptions
from stable_tiles.translate.task import make_region
from stable_tiles.translate.verb import translate
from tests.translate.scenes import (
    COMMAND,
    CUT,
    array_files,
    noise,
    options,
    save_image,
    save_model,
)

NET = f"10.213.{os.getpid() % 250}"
HUB = f"st{os.getpid() % 100000}"
PATIENCE_S = 300

PATIENCE = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "120s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "20s",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "20s",
}
"""How long a worker waits for its scheduler, and how soon a silent one is given up."""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def machines() -> Iterator[list[str]]:
    """Two network namespaces on one bridge."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces need root and iproute2")
    names = [f"{HUB}n{k}" for k in range(2)]
    try:
        ip("link", "add", HUB, "type", "bridge")
        ip("addr", "add", f"{NET}.1/24", "dev", HUB)
        ip("link", "set", HUB, "up")
        for k, name in enumerate(names):
            ip("netns", "add", name)
            ip("link", "add", f"{HUB}h{k}", "type", "veth", "peer", "eth0", "netns", name)
            ip("link", "set", f"{HUB}h{k}", "master", HUB, "up")
            ip("-n", name, "addr", "add", f"{NET}.{k + 2}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not permitted here: {error.stderr.decode().strip()}")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", HUB], check=False, capture_output=True)


@pytest.fixture
def cluster(machines: list[str], tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler which a worker on each machine has joined."""
    address = f"tcp://{NET}.1:8786"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    commands = [[*dask, "--host", f"{NET}.1", "--port", "8786"]]
    worker = ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    for name in machines:
        inside = ["ip", "netns", "exec", name, sys.executable, "-m", *worker]
        commands.append([*inside, "--no-dashboard", "--local-directory", str(tmp_path / name)])
    environment = {**os.environ, **PATIENCE}
    started = [
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, env=environment
        )
        for command in commands
    ]
    try:
        await_workers(address, len(machines))
        yield address
    finally:
        for process in started:
            process.kill()
            process.wait()


def await_workers(address: str, number: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with Client(address, timeout=20) as client:  # type: ignore[no-untyped-call]  # distributed is untyped
                client.wait_for_workers(number, timeout=PATIENCE_S)
                # Both begin at once then, however slowly they load.
                client.run(import_module, make_region.__module__)
                return
        except (OSError, TimeoutError):
            assert time.monotonic() < deadline
            time.sleep(0.5)


def test_two_machines_share_a_job_and_one_that_is_cut_off_does_not_stop_it(
    tmp_path: Path, machines: list[str], cluster: str
) -> None:
    save_model(tmp_path / "run")
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 960, 960), "yx")
    arguments = ["a.zarr", "b.zarr", "--model", "run", "--gpus", "0", *CUT]
    process = subprocess.Popen([*COMMAND, *arguments, "--scheduler", cluster], cwd=tmp_path)
    try:
        ledger, workers, done = Ledger(partial_folder(tmp_path / "b.zarr")), set[str](), 0
        while len(workers) < len(machines):
            assert process.poll() is None
            time.sleep(0.05)
            receipts = list(ledger.receipts())
            workers, done = {one.values["process"] for one in receipts}, len(receipts)
        ip("link", "set", f"{HUB}h0", "down")
        assert done < 225
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    chosen = options(tmp_path / "run", tile=160, store=StoreOptions(chunk=64, shard=64))
    translate(tmp_path / "a.zarr", tmp_path / "alone.zarr", chosen)
    assert array_files(tmp_path / "b.zarr") == array_files(tmp_path / "alone.zarr")
