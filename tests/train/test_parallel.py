"""Processes that train together: equal to one, ended together, resumed bit for bit."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from threading import Event, Timer

import psutil
import pytest
import torch
from safetensors.torch import load_file

from stable_tiles.errors import InputError, Interrupted, StableTilesError, WorkFailed
from stable_tiles.progress import Progress, silent
from stable_tiles.settings import load_settings
from stable_tiles.train.parallel import Team, together
from stable_tiles.train.peers import Peers
from stable_tiles.train.run import TrainOptions, train
from tests.train.stores import random_pixels, write_store
from tests.train.test_run import TINY, log, weights

TWO = Team(2, "cpu")
CHANGES = ("network.norm=none", "discriminator.norm=none", "training.steps=12")
SETTINGS = load_settings("smoke", [*TINY, *CHANGES])

KILLED = """
import os, signal, sys
from stable_tiles.train.run import TrainOptions, train
from tests.train.test_parallel import SETTINGS
def kill(what, done, total):
    if done == 8:
        os.killpg(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    source, target, out = sys.argv[1:]
    train(SETTINGS, [source], [target], out, TrainOptions(processes=2), kill)
"""

ORPHANED = """
from threading import Event
from tests.train.test_parallel import TWO, tell_and_wait
from stable_tiles.progress import silent
from stable_tiles.train.parallel import together
if __name__ == "__main__":
    together(tell_and_wait, TWO, Event(), lambda *told: print(*told, flush=True))
"""


def stores(folder: Path) -> tuple[list[Path], list[Path]]:
    write_store(folder / "a.zarr", random_pixels((1, 1, 2, 48, 40), 0, "uint16"))
    write_store(folder / "b.zarr", random_pixels((2, 2, 1, 33, 70), 1))
    return [folder / "a.zarr"], [folder / "b.zarr"]


def test_two_processes_train_as_one_does_and_go_on_after_a_kill_with_the_same_bits(
    tmp_path: Path,
) -> None:
    pair = stores(tmp_path)
    train(SETTINGS, *pair, tmp_path / "one")
    report = train(SETTINGS, *pair, tmp_path / "two", TrainOptions(processes=2))
    assert report.processes == 2
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, atol=1e-4, rtol=1e-3)
    for line, other in zip(log(tmp_path / "one"), log(tmp_path / "two"), strict=True):
        assert ("preview" in line and line.keys() == other.keys()) or (
            other == pytest.approx(line, rel=1e-4)
        )
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    paths = [str(path) for path in (*pair[0], *pair[1], tmp_path / "killed")]
    killed = subprocess.run(
        [sys.executable, str(script), *paths],
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    options = TrainOptions(processes=2, existing="resume")
    assert train(SETTINGS, *pair, tmp_path / "killed", options).resumed_from == 5
    assert weights(tmp_path / "killed") == weights(tmp_path / "two")
    assert log(tmp_path / "killed") == log(tmp_path / "two")


def fail(how: str, peers: Peers, stop: Event, progress: Progress) -> None:
    """The second process fails while the first waits for it."""
    if peers.leads:
        peers.wait()
        time.sleep(60)
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "refuses":
        raise InputError("the second store is upside down")
    raise ZeroDivisionError("a fault of the program")


@pytest.mark.parametrize(
    ("how", "error", "line"),
    [
        ("killed", WorkFailed, "process 1 of this training was killed by SIGKILL"),
        ("refuses", InputError, "the second store is upside down"),
        ("breaks", WorkFailed, "process 1 of this training failed: ZeroDivisionError"),
    ],
)
def test_a_process_that_fails_ends_all_with_its_reason(
    how: str, error: type[StableTilesError], line: str
) -> None:
    with pytest.raises(error, match=line) as caught:
        together(partial(fail, how), TWO, Event(), silent)
    assert len(str(caught.value).splitlines()) == 1
    assert not active_children()


def tell_and_wait(peers: Peers, stop: Event, progress: Progress) -> int:
    """Until a process is told to stop."""
    progress("pid", os.getpid(), peers.gather(os.getpid())[1])
    while not peers.agree(stop.is_set()):
        time.sleep(0.02)
    raise Interrupted("stopped together")


def test_a_wish_to_stop_reaches_all() -> None:
    stop = Event()
    seen: list[tuple[str, int, int]] = []

    def told(*said: object) -> None:
        seen.append(said)  # type: ignore[arg-type]  # a Progress is called so
        Timer(0.1, stop.set).start()

    with pytest.raises(Interrupted, match="stopped together"):
        together(tell_and_wait, TWO, stop, told)
    assert len(seen) == 1, "the leading process alone is heard"


def test_processes_end_when_the_one_that_called_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "orphaned.py"
    script.write_text(ORPHANED)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as caller:
        assert caller.stdout is not None
        _, first, second = caller.stdout.readline().split()
        caller.kill()
    deadline = time.monotonic() + 10
    while any(map(psutil.pid_exists, (int(first), int(second)))):
        assert time.monotonic() < deadline, "processes without a caller"
        time.sleep(0.05)


def test_what_processes_agree_on_is_the_mean_of_all(tmp_path: Path) -> None:
    assert together(agree, TWO, Event(), silent) == ([1.5, 6.0, 2.0], 0.5, True, [0, 1])


def agree(peers: Peers, stop: Event, progress: Progress) -> tuple[list[float], float, bool, object]:
    """Every kind of agreement once."""
    tensors = [torch.full((2, 1), peers.rank + 1.0), torch.tensor([4.0]) * (2 * peers.rank + 0.5)]
    statistic = torch.tensor([1.0, 3.0])[peers.rank].clone()
    peers.begin_mean(tensors)()
    losses = peers.mean({"total": torch.tensor(float(peers.rank))}, [statistic])
    values = [float(tensors[0][1, 0]), float(tensors[1]), float(statistic)]
    return values, float(losses["total"]), peers.agree(peers.rank == 1), peers.gather(peers.rank)
