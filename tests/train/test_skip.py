import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import WorkFailed
from stable_tiles.image.store import Image, open_image
from stable_tiles.settings import DataSettings, Normalization
from stable_tiles.train.faults import Fault, FaultList
from stable_tiles.train.loader import ahead
from stable_tiles.train.patches import ATTEMPTS, Patches
from stable_tiles.train.run import TrainOptions, train
from tests.train.stores import random_pixels, write_store
from tests.train.test_run import tiny

SKIP = DataSettings(patch=16, batch=3, normalize=Normalization(kind="none"))
SKIPPING = ("training.steps=16", "training.log_every=4", "training.checkpoint_every=5")
RESUME = TrainOptions(existing="resume", skip_bad=True)

KILLED = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
from tests.train.test_skip import RESUME, SKIPPING, tiny
from stable_tiles.train.run import train
def kill(what, done, total):
    if done == 8:
        os.kill(os.getpid(), signal.SIGKILL)
source, target, out = sys.argv[1:]
train(tiny(*SKIPPING), [source], [target], out, RESUME, kill)
"""


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A store of 3 x 3 chunks in each of four planes, of which some are broken or missing."""
    path = tmp_path_factory.mktemp("stores") / "spoilt.zarr"
    image = write_store(path, random_pixels((2, 1, 2, 96, 96), 3))
    (path / "0" / "c" / "0" / "0" / "1" / "0" / "2").unlink()
    (path / "0" / "c" / "1" / "0" / "0" / "2" / "0").write_bytes(b"torn")
    return image


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_what_is_taken_instead_does_not_depend_on_the_number_of_threads(
    spoilt: Image, workers: int
) -> None:
    alone, threads = (Patches([spoilt], SKIP, (5, 1), skip_bad=True) for _ in range(2))
    expected = [batch.tobytes() for batch in ahead(alone.batch, range(150), 0)]
    assert [batch.tobytes() for batch in ahead(threads.batch, range(150), workers)] == expected
    faults = alone.faults.due(450)
    assert {fault.at for fault in faults} == {(0, 1, 0, 64), (1, 0, 64, 0)}
    assert threads.faults.due(450) == faults


def test_the_sequence_with_replacements_can_be_entered_anywhere(spoilt: Image) -> None:
    whole = Patches([spoilt], SKIP, (5, 1), skip_bad=True)
    batches = [whole.batch(step) for step in range(40)]
    late = Patches([spoilt], SKIP, (5, 1), skip_bad=True)
    for step in (39, 17):
        np.testing.assert_array_equal(late.batch(step), batches[step])


def test_replacements_leave_good_patches_as_they_were(spoilt: Image, tmp_path: Path) -> None:
    good = write_store(tmp_path / "spoilt.zarr", random_pixels((2, 1, 2, 96, 96), 3))
    skipping, plain = (Patches([i], SKIP, (5, 1), skip_bad=True) for i in (spoilt, good))
    same = [np.array_equal(skipping.patch(i), plain.patch(i)) for i in range(200)]
    moved = [skipping.place(i) != plain.place(i) for i in range(200)]
    assert [not s for s in same] == moved
    assert 0 < sum(moved) < 100


def test_a_store_with_nothing_but_bad_blocks_ends_the_training(tmp_path: Path) -> None:
    image = write_store(tmp_path / "void.zarr", random_pixels((1, 1, 1, 32, 32)))
    for chunk in (tmp_path / "void.zarr" / "0" / "c").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
    with pytest.raises(WorkFailed, match=f"{ATTEMPTS} blocks in a row are bad, the last: void"):
        Patches([image], SKIP, (0, 0), skip_bad=True).patch(0)


def test_missing_chunks_of_other_tools_stores_are_empty_space(tmp_path: Path) -> None:
    path = tmp_path / "sparse.zarr"
    write_store(path, random_pixels((1, 1, 1, 64, 64)))
    metadata = json.loads((path / "zarr.json").read_text())
    del metadata["attributes"]["stable_tiles"]
    (path / "zarr.json").write_text(json.dumps(metadata))
    (path / "0" / "c" / "0" / "0" / "0" / "1" / "1").unlink()
    patches = Patches([open_image(path)], SKIP, (0, 0))
    assert min(patches.patch(i).max() for i in range(200)) == 0


def lines(out: Path) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "rates"} for line in read]


@pytest.mark.filterwarnings("ignore:skipped")
def test_a_run_that_skips_killed_and_resumed_has_the_same_weights_and_log(
    tmp_path: Path,
) -> None:
    spoilt = write_store(tmp_path / "a.zarr", random_pixels((1, 1, 1, 96, 96), 3))
    for chunk in ("0/0", "0/2", "1/1", "2/1"):
        (tmp_path / "a.zarr/0/c/0/0/0" / chunk).unlink()
    target = write_store(tmp_path / "b.zarr", random_pixels((1, 1, 1, 40, 40), 1))
    whole = train(tiny(*SKIPPING), [spoilt.path], [target.path], tmp_path / "whole", RESUME)
    command = [sys.executable, "-c", KILLED, spoilt.path, target.path, str(tmp_path / "run")]
    killed = subprocess.run(command, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = train(tiny(*SKIPPING), [spoilt.path], [target.path], tmp_path / "run", RESUME)
    assert again.resumed_from == 5
    logged = [line["step"] for line in lines(tmp_path / "whole") if "skipped" in line]
    assert again.skipped == whole.skipped == len(logged)
    assert min(logged) <= 5, "some were logged before the checkpoint, and are met again after it"
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")
    model = "model.safetensors"
    assert (tmp_path / "run" / model).read_bytes() == (tmp_path / "whole" / model).read_bytes()


@given(st.permutations([(i, f"{i % 5}.zarr") for i in range(12)]), st.lists(st.integers(0, 12)))
@settings(max_examples=50)
def test_faults_are_due_once_in_the_order_of_patches_whoever_met_them_first(
    met: list[tuple[int, str]], asked: list[int]
) -> None:
    faults = FaultList()
    for index, store in met:
        faults.note(index, Fault(store, "torn", 0, (0, 0, 0, 0)))
    told: list[str] = []
    for made in [*sorted(asked), 12]:
        told += [fault.store for fault in faults.due(made)]
        assert told == [f"{i}.zarr" for i in range(min(5, max(made, len(told))))]
        assert len(told) <= made


@pytest.mark.parametrize("at", [None, (1, 2, 3, 4)])
def test_a_fault_survives_json(at: tuple[int, int, int, int] | None) -> None:
    fault = Fault("a.zarr", "torn", None if at is None else 2, at)
    assert Fault.from_json(json.loads(json.dumps(fault.to_json()))) == fault
