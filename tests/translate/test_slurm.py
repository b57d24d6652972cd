"""A SLURM of one node, started for the test; skipped where its programs are not installed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

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

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue")
PATIENCE_S = 300

CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
ReturnToService=2
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A SLURM whose commands this process and its children find; the YAML that asks for it."""
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue")
    if os.geteuid() or not all(map(shutil.which, PROGRAMS)):
        pytest.skip("needs root and Debian's slurm-wlm and munge")
    folder = tmp_path / "slurm"
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    cpus = len(os.sched_getaffinity(0))
    conf = CONF.format(host=platform.node(), folder=folder, cpus=max(2, cpus))
    (folder / "slurm.conf").write_text(conf)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    monkeypatch.setenv("DASK_CONFIG", str(folder))
    named = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed",
             "log-file": "log"}  # fmt: skip
    munge = [f"--{option}={folder}/munge.{name}" for option, name in named.items()]
    started = []
    for command in (
        ["munged", "--foreground", "--force", *munge],
        ["slurmctld", "-D", "-L", str(folder / "slurmctld.log")],
        ["slurmd", "-D", "-L", str(folder / "slurmd.log")],
    ):
        with (folder / f"{command[0]}.out").open("wb") as out:
            started.append(subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT))
        time.sleep(1)
    (folder / "ask.yaml").write_text(yaml.safe_dump(asked(folder)))
    yield folder / "ask.yaml"
    subprocess.run(["scancel", "--user=root"], check=False, capture_output=True)
    for process in reversed(started):
        process.terminate()
        process.wait(30)


def asked(folder: Path) -> dict[str, object]:
    """What a user writes: here also where the package lies, and that all is on this machine."""
    return {
        "queue": "main",
        "cores": 1,
        "memory": "8 GB",
        "job_directives_skip": ["--mem"],
        "walltime": "00:10:00",
        "interface": "lo",
        "python": sys.executable,
        "job_script_prologue": [f"export PYTHONPATH={os.pathsep.join(filter(None, sys.path))}"],
        "local_directory": str(folder),
        "log_directory": str(folder),
        "scheduler_options": {"host": "127.0.0.1", "dashboard": False},
    }


def jobs() -> list[str]:
    done = subprocess.run(
        ["squeue", "--noheader", "--states=RUNNING", "--format=%i"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_a_job_that_slurm_loses_does_not_stop_the_other(tmp_path: Path, slurm: Path) -> None:
    save_model(tmp_path / "run")
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 960, 960), "yx")
    arguments = ["a.zarr", "b.zarr", "--model", "run", "--workers", "2", *CUT]
    process = subprocess.Popen([*COMMAND, *arguments, "--slurm", str(slurm)], cwd=tmp_path)
    try:
        at_work(process, tmp_path / "b.zarr", 2)
        lost, *_ = jobs()
        subprocess.run(["scancel", "--signal=KILL", "--full", lost], check=True)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    expected = made_alone(tmp_path)
    assert array_files(tmp_path / "b.zarr") == expected
