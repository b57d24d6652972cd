"""Workers with addresses of their own: each on a machine that is a network namespace.

Scheduler and command run at a hub, from which a cable leads to each of two
machines.  All of it lies in namespaces: no address, port or link of the real
machine is taken, and nothing is left when they are gone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from stable_tiles.image.writer import partial_folder
from stable_tiles.ledger import Ledger, Receipt
from tests.translate.scenes import (
    COMMAND,
    CUT,
    array_files,
    at_work,
    made_alone,
    noise,
    save_image,
    save_model,
)

ADDRESS = "10.0.0.1"
SCHEDULER = f"tcp://{ADDRESS}:8786"
REGIONS = 225
PATIENCE_S = 300

IMPATIENT = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "60s",
}
"""How soon the scheduler gives up a connection, and a worker that is silent in any other way.

Whether a connection stands is told by the kernel, also of a worker that is only slow.
"""

STUBBORN = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "1h", "OMP_NUM_THREADS": "1"}
"""A worker that is cut off waits, and does not end by itself."""

AWAIT = """
import sys
from distributed import Client

address, number, patience = sys.argv[1], *map(int, sys.argv[2:])
with Client(address, timeout=patience) as client:
    client.wait_for_workers(number, timeout=patience)
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def permitted(*words: str) -> None:
    """Do what a kernel or a container may refuse."""
    try:
        ip(*words)
    except subprocess.CalledProcessError as error:
        reason = f"{error.stderr}".strip()
        pytest.skip(f"needs network namespaces: 'ip {' '.join(words)}' is refused: {reason}")


def inside(machine: str, *command: str) -> list[str]:
    """A command, on a machine."""
    return ["ip", "netns", "exec", machine, *command]


class Net(NamedTuple):
    """Names of namespaces."""

    hub: str
    machines: tuple[str, str]


@pytest.fixture
def net() -> Iterator[Net]:
    """A hub and two machines, each at the end of a cable of its own."""
    if not shutil.which("ip"):
        pytest.skip("needs the program ip, of iproute2")
    if os.geteuid():
        pytest.skip("needs root, who may make network namespaces")
    mark = uuid4().hex[:8]
    made = Net(f"hub-{mark}", (f"one-{mark}", f"two-{mark}"))
    with ExitStack() as stack:
        for name in (made.hub, *made.machines):
            permitted("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
            permitted("netns", "exec", name, "ip", "link", "set", "lo", "up")
        for k, name in enumerate(made.machines, 2):
            near, own = f"to{k}", f"10.0.0.{k}"
            cable = ["type", "veth", "peer", "name", "eth0", "netns", name]
            permitted("link", "add", near, "netns", made.hub, *cable)
            ip("-n", made.hub, "addr", "add", ADDRESS, "peer", own, "dev", near)
            ip("-n", name, "addr", "add", own, "peer", ADDRESS, "dev", "eth0")
            ip("-n", made.hub, "link", "set", near, "up")
            ip("-n", name, "link", "set", "eth0", "up")
        yield made


@contextmanager
def running(
    machine: str, folder: Path, words: list[str], told: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A part of Dask on a machine; what it says is kept in its folder there."""
    folder.mkdir()
    command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            inside(machine, *command),
            cwd=folder,
            env=os.environ | told,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def workers(net: Net, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A worker on each machine, which has joined the scheduler at the hub."""
    scheduler = ["scheduler", "--host", ADDRESS, "--port", "8786"]
    # What is loaded before they join lets both begin at once.
    worker = ["worker", SCHEDULER, "--nthreads", "1", "--no-nanny"]
    worker += ["--preload", "stable_tiles.translate.task", "--local-directory", "."]
    asked = [SCHEDULER, str(len(net.machines)), str(PATIENCE_S)]
    with ExitStack() as stack:
        parts = [
            (net.hub, scheduler, IMPATIENT),
            *((one, worker, STUBBORN) for one in net.machines),
        ]
        started = [
            stack.enter_context(running(name, tmp_path / name, words, told))
            for name, words, told in parts
        ]
        joined = subprocess.Popen(inside(net.hub, sys.executable, "-c", AWAIT, *asked))
        stack.callback(joined.wait)
        stack.callback(joined.kill)
        while joined.poll() is None:
            assert all(process.poll() is None for process in started)
            time.sleep(0.05)
        assert joined.returncode == 0
        yield started[1:]


def by_region(folder: Path) -> list[list[Receipt]]:
    """All receipts of a ledger, those of one region together."""

    def start(receipt: Receipt) -> tuple[int, ...]:
        return receipt.region.start

    return [list(some) for _, some in groupby(sorted(Ledger(folder).receipts(), key=start), start)]


def test_two_machines_share_a_job_which_ends_right_when_one_of_them_is_cut_off(
    tmp_path: Path, net: Net, workers: list[subprocess.Popen[bytes]]
) -> None:
    save_model(tmp_path / "run")
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 960, 960), "yx")
    arguments = ["a.zarr", "b.zarr", "--model", "run", "--gpus", "0", *CUT]
    command = inside(net.hub, *COMMAND, *arguments, "--scheduler", SCHEDULER)
    unfinished, kept = partial_folder(tmp_path / "b.zarr"), tmp_path / "kept"
    process = subprocess.Popen(command, cwd=tmp_path)
    try:
        both = at_work(process, tmp_path / "b.zarr", len(workers))
        ip("-n", net.machines[0], "link", "set", "eth0", "down")
        assert len(by_region(unfinished)) < REGIONS
        # The files of receipts go when the output is whole; a link to them stays.
        (kept / "receipts").mkdir(parents=True)
        for file in (unfinished / "receipts").iterdir():
            (kept / "receipts" / file.name).hardlink_to(file)
        expected = made_alone(tmp_path)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    assert [worker.poll() for worker in workers] == [None, None]
    assert array_files(tmp_path / "b.zarr") == expected
    made = by_region(kept)
    assert len(made) == REGIONS
    # What was made twice had been made, or begun, by the worker that was lost.
    twice = [some for some in made if len(some) > 1]
    assert all(sorted(one.values["process"] for one in some) == sorted(both) for some in twice)
