from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from distributed import Client, LocalCluster

from stable_tiles.errors import InputError
from stable_tiles.translate import cluster as clusters
from stable_tiles.translate.cluster import connected
from stable_tiles.translate.hardware import find_resources
from stable_tiles.translate.options import Hardware
from stable_tiles.translate.verb import translate, translate_all
from tests.translate.scenes import array_files, noise, options, save_image, save_model


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes that a user has started."""
    started = LocalCluster(  # type: ignore[no-untyped-call]  # distributed is untyped
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    yield started
    started.close(timeout=20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "run")
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 300, 457), "yx")
    return tmp_path


def test_a_cluster_that_runs_makes_the_same_bytes_by_address_and_by_file(
    folder: Path, cluster: Any
) -> None:
    translate(folder / "a.zarr", folder / "alone.zarr", options(folder / "run"))
    with Client(cluster) as client:  # type: ignore[no-untyped-call]  # distributed is untyped
        client.write_scheduler_file(str(folder / "scheduler.json"))
    for name in (cluster.scheduler_address, str(folder / "scheduler.json")):
        chosen = options(folder / "run", hardware=Hardware(gpus=0, scheduler=name), overwrite=True)
        report = translate(folder / "a.zarr", folder / "b.zarr", chosen)
        assert report.complete
        assert array_files(folder / "b.zarr") == array_files(folder / "alone.zarr")


def test_a_cluster_outlives_the_job_and_takes_a_cohort(folder: Path, cluster: Any) -> None:
    chosen = options(folder / "run", hardware=Hardware(gpus=0, scheduler=cluster.scheduler_address))
    pairs = [(folder / "a.zarr", folder / f"{k}.zarr") for k in range(3)]
    report = translate_all(pairs, chosen)
    assert all(image.complete for image in report.images)
    assert array_files(pairs[0][1]) == array_files(pairs[2][1])
    assert len(cluster.scheduler_info["workers"]) == 2


def test_a_cluster_that_is_not_there_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "CONNECT_S", 2)
    chosen = options(folder / "run", hardware=Hardware(gpus=0, scheduler="tcp://127.0.0.1:1"))
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1") as error:
        translate(folder / "a.zarr", folder / "b.zarr", chosen)
    assert "\n" not in str(error.value)
    assert not (folder / "b.zarr").exists()


def test_a_dashboard_is_served_to_this_machine_alone(port: int) -> None:
    pytest.importorskip("bokeh", reason="needs bokeh: pip install '.[dashboard]'")
    wanted = Hardware(gpus=0, workers=1, dashboard=port)
    with connected(wanted, find_resources(wanted)):
        with urlopen(f"http://127.0.0.1:{port}/status") as page:
            assert b"Dask" in page.read()
        # All of 127/8 is this machine; who listened everywhere would answer there too.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))


def test_a_dashboard_that_the_file_for_slurm_sets_too_is_refused(folder: Path, port: int) -> None:
    pytest.importorskip("bokeh", reason="needs bokeh: pip install '.[dashboard]'")
    slurm = folder / "slurm.yaml"
    slurm.write_text("queue: main\nscheduler_options: {dashboard_address: ':8787'}\n")
    wanted = Hardware(gpus=0, workers=1, slurm=slurm, dashboard=port)
    with pytest.raises(InputError, match=r"--dashboard and scheduler_options of .* are two"):
        translate(folder / "a.zarr", folder / "b.zarr", options(folder / "run", hardware=wanted))
    assert not (folder / "b.zarr").exists()


def test_a_dashboard_at_a_port_in_use_is_one_line(folder: Path) -> None:
    pytest.importorskip("bokeh", reason="needs bokeh: pip install '.[dashboard]'")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        chosen = options(folder / "run", hardware=Hardware(gpus=0, workers=1, dashboard=number))
        with pytest.raises(InputError, match=f"--dashboard {number}: .* another port") as error:
            translate(folder / "a.zarr", folder / "b.zarr", chosen)
    assert "\n" not in str(error.value)
    assert not (folder / "b.zarr").exists()
