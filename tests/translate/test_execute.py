from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any

import psutil
import pytest
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError
from stable_tiles.image.writer import partial_folder
from stable_tiles.ledger import Ledger
from stable_tiles.region import Region
from stable_tiles.translate import cluster, stream
from stable_tiles.translate.execute import Shares, crew
from stable_tiles.translate.hardware import Resources
from stable_tiles.translate.options import Hardware, StoreOptions
from stable_tiles.translate.task import Failure
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a store, and its translation in one process without interruption."""
    made = tmp_path_factory.mktemp("execute")
    save_model(made / "run")
    save_image(made / "a.zarr", noise(1, 1, 1, 300, 420), "yx")
    started = subprocess.run(
        [*COMMAND, "a.zarr", "whole.zarr", "--model", "run", "--workers", "0", *CUT],
        cwd=made,
        capture_output=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    return made


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def start(folder: Path, target: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a translation, and come back when it has finished three regions."""
    process = subprocess.Popen(
        [*COMMAND, "a.zarr", target, "--model", "run", *CUT, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    ledger = Ledger(partial_folder(folder / target))
    while len(list(ledger.receipts())) < 3 and process.poll() is None:
        time.sleep(0.02)
    return process


@given(st.integers(1, 5), st.integers(0, 30), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=30)
def test_every_region_is_handed_out_once_and_neighbours_go_to_one_worker(
    count: int, total: int, chance: Random
) -> None:
    regions = [Region((0, 0, 0, k), (1, 1, 1, k + 1)) for k in range(total)]
    names = [f"w{k}" for k in range(count)]
    shares = Shares(regions, names)
    firsts = [shares.next(name) for name in names]
    given_out = [region for region in firsts if region]
    while region := shares.next(chance.choice(names)):
        given_out.append(region)
    assert sorted(given_out) == regions
    if total >= count:
        assert firsts == [regions[total * k // count] for k in range(count)]


def test_two_worker_processes_write_the_same_bytes_as_one_process(folder: Path) -> None:
    chosen = options(
        folder / "run",
        tile=160,
        hardware=Hardware(gpus=0, workers=2),
        store=StoreOptions(chunk=64, shard=64),
    )
    seen: list[tuple[int, int]] = []
    report = translate(
        folder / "a.zarr",
        folder / "two.zarr",
        chosen,
        lambda what, done, total: seen.append((done, total)),
    )
    assert array_files(folder / "two.zarr") == array_files(folder / "whole.zarr")
    assert report.workers == 2
    assert seen[-1] == (35, 35)
    assert report.peak_rss_bytes > 0


def test_a_killed_translation_resumes_to_the_same_bytes(
    folder: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    process = start(folder, "killed.zarr", "--workers", "0")
    processes.append(process)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert not (folder / "killed.zarr").exists()
    done = subprocess.run(
        [*COMMAND, "a.zarr", "killed.zarr", "--model", "run", "--workers", "0", "--resume", *CUT],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert array_files(folder / "killed.zarr") == array_files(folder / "whole.zarr")


@pytest.mark.parametrize(
    ("workers", "sent"), [(0, signal.SIGTERM), (1, signal.SIGTERM), (1, signal.SIGINT)]
)
def test_a_translation_stops_within_ten_seconds_and_resumes_to_the_same_bytes(
    folder: Path, processes: list[subprocess.Popen[bytes]], workers: int, sent: signal.Signals
) -> None:
    target = f"stopped{workers}{sent}.zarr"
    process = start(folder, target, "--workers", str(workers))
    processes.append(process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert bool(children) == bool(workers)
    process.send_signal(sent)
    assert process.wait(10) == 130
    assert process.stderr is not None
    lines = process.stderr.read().decode().splitlines()
    assert lines[-1].startswith("Error: interrupted: ")
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
    chosen = options(
        folder / "run",
        tile=160,
        resume=True,
        store=StoreOptions(chunk=64, shard=64),
    )
    report = translate(folder / "a.zarr", folder / target, chosen)
    assert report.resumed_regions >= 3
    assert array_files(folder / target) == array_files(folder / "whole.zarr")


def fatal(job: object, region: Region) -> int | Failure:
    """A task whose eighth region ends whoever does it."""
    if region.start[0] == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return region.start[0]


def test_a_region_that_ends_its_worker_each_time_is_given_up_and_all_others_are_made() -> None:
    orders: Any = [("any job", Region((k,), (k + 1,))) for k in range(12)]
    ours = Resources(device="cpu", workers=2, gpus=0, threads=1)
    with crew(Hardware(gpus=0, workers=2), ours) as workers:
        made = [outcome[1] for outcome in workers(fatal, orders) if outcome]
    (failed,) = (one for one in made if isinstance(one, Failure))
    assert failed.region == Region((7,), (8,))
    assert "its worker died each time" in failed.reason
    others = sorted(one for one in made if isinstance(one, int))
    assert others == [k for k in range(12) if k != 7]


def last_words(job: object, region: Region) -> int:
    """A task whose worker dies as it has ended, once for each region."""
    mark = Path(f"{job}") / str(region.start[0])
    if not mark.exists():
        mark.touch()
        Timer(0.001, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return region.start[0]


def test_what_was_done_and_lost_with_the_only_worker_is_done_again(tmp_path: Path) -> None:
    orders: Any = [(str(tmp_path), Region((k,), (k + 1,))) for k in range(3)]
    ours = Resources(device="cpu", workers=1, gpus=0, threads=1)
    with crew(Hardware(gpus=0, workers=1), ours) as workers:
        made = [outcome[1] for outcome in workers(last_words, orders) if outcome]
    assert sorted(one for one in made if isinstance(one, int)) == [0, 1, 2]


def column(job: object, region: Region) -> int:
    """A task that takes no time."""
    return region.start[0]


def test_very_short_regions_are_sent_many_at_a_time_and_each_is_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "BEAT_S", 0.1)
    sent: list[int] = []
    submit = Client.map

    def counted(client: Client, work: Any, regions: list[Region], **told: Any) -> Any:
        sent.append(len(regions))
        return submit(client, work, regions, **told)

    monkeypatch.setattr(Client, "map", counted)
    orders: Any = [("any job", Region((k,), (k + 1,))) for k in range(800)]
    ours = Resources(device="cpu", workers=2, gpus=0, threads=1)
    with crew(Hardware(gpus=0, workers=2), ours) as workers:
        made = [outcome[1] for outcome in workers(column, orders) if outcome]
    assert sorted(one for one in made if isinstance(one, int)) == list(range(800))
    assert len(made) == 800
    assert max(sent) > stream.WINDOW
    assert max(sent) <= stream.MOST


@pytest.mark.parametrize("scheduler", ["tcp://127.0.0.1:1", "none.json"])
def test_a_scheduler_that_is_not_there_is_refused_in_one_line(
    folder: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    chosen = options(folder / "run", hardware=Hardware(scheduler=scheduler))
    with pytest.raises(InputError, match=f"--scheduler {scheduler}") as caught:
        translate(folder / "a.zarr", folder / "none.zarr", chosen)
    assert "\n" not in str(caught.value)
    assert not partial_folder(folder / "none.zarr").exists()
