from __future__ import annotations

import pytest
import torch

from stable_tiles.errors import DeviceUnavailable, InputError
from stable_tiles.translate.hardware import find_resources
from stable_tiles.translate.options import Hardware
from stable_tiles.usage import cores


def test_the_cpu_is_shared_among_its_workers() -> None:
    found = find_resources(Hardware(gpus=0, workers=2))
    assert (found.device, found.workers, found.gpus) == ("cpu", 2, 0)
    assert found.threads == max(1, cores() // 2)


def test_a_cpu_works_in_this_process_unless_workers_are_asked_for() -> None:
    assert find_resources(Hardware(gpus=0)).workers == 0


def test_more_gpus_than_there_are_are_refused_and_the_cpu_is_offered() -> None:
    count = torch.cuda.device_count() + 1
    with pytest.raises(DeviceUnavailable, match=f"--gpus {count}: .* --gpus 0"):
        find_resources(Hardware(gpus=count))


def test_a_dashboard_of_no_worker_processes_is_refused() -> None:
    with pytest.raises(InputError, match=r"--dashboard .* --workers N"):
        find_resources(Hardware(gpus=0, dashboard=8787))


def test_a_cluster_decides_its_own_threads() -> None:
    found = find_resources(Hardware(scheduler="tcp://127.0.0.1:1", workers=3))
    assert (found.device, found.threads, found.workers) == ("cpu", None, 3)
