"""Processes of every start method open a store and draw patches.

Three of each here; ``STABLE_TILES_STARTS=100`` starts a hundred.
"""

import multiprocessing
import os
import warnings
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from stable_tiles.image.store import open_image
from stable_tiles.settings import DataSettings
from stable_tiles.train.loader import ahead
from stable_tiles.train.patches import Patches
from tests.train.stores import random_pixels, write_store

STARTS = int(os.environ.get("STABLE_TILES_STARTS", "3"))
TIMEOUT_S = 60.0

DATA = DataSettings(patch=16, batch=2)


def draw(path: str) -> str:
    """A digest of some batches, made with loader threads."""
    patches = Patches([open_image(path)], DATA, (0, 0))
    digest = sha256()
    for batch in ahead(patches.batch, range(6), 2):
        digest.update(batch.tobytes())
    return digest.hexdigest()


def report(path: str, pipe: Connection) -> None:
    pipe.send(draw(path))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_started_processes_draw_the_same_patches_and_none_hangs(
    method: str, tmp_path: Path
) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    path = write_store(tmp_path / "a.zarr", random_pixels((1, 1, 2, 64, 64)), shard=64).path
    expected = draw(path)  # threads and Zarr's event loop run here before the first start
    context = multiprocessing.get_context(method)
    for _ in range(STARTS):
        mine, theirs = context.Pipe()
        process = context.Process(target=report, args=(path, theirs), daemon=True)  # type: ignore[attr-defined]  # every context has it
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads, which is what is tried here.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        try:
            assert mine.poll(TIMEOUT_S), f"no answer after {TIMEOUT_S:g} s"
            assert mine.recv() == expected
            process.join(TIMEOUT_S)
            assert process.exitcode == 0
        finally:
            process.kill()
            process.join()
