"""Kill a conversion at any moment, resume it, and compare with one that was left alone.

By hand, at many moments: ``python -m tests.convert.killing 20``.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.convert.options import Said
from stable_tiles.errors import StoreNotFound
from stable_tiles.image.store import open_image

_CHILD = """
import sys
from tests.convert.killing import options
from stable_tiles.convert import convert
print("ready", flush=True)
convert(sys.argv[1], sys.argv[2], options())
print("done", flush=True)
"""


def options(*, resume: bool = False) -> ConvertOptions:
    """Many small regions on several levels, by two threads."""
    return ConvertOptions(
        Said(pixel_size=(1, 1)), chunk=32, shard=128, levels=5, workers=2, resume=resume
    )


def tree(store: Path) -> dict[str, str]:
    """The digest of every file of a store."""
    return {
        str(file.relative_to(store)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(store.rglob("*"))
        if file.is_file()
    }


@dataclass(frozen=True)
class Undisturbed:
    """A conversion that was left alone: its source, its files, and how long it took."""

    source: Path
    files: dict[str, str]
    seconds: float


def undisturbed(folder: Path, side: int) -> Undisturbed:
    """Convert a random image of that side."""
    source = folder / "source.tif"
    pixels = np.random.default_rng(0).integers(0, 99, (side, side - 7)).astype(np.uint16)
    tifffile.imwrite(source, pixels, tile=(64, 64), compression="zlib")
    (folder / "whole").mkdir()
    target = folder / "whole" / "a.zarr"
    with _begun(source, target) as child:
        started = time.monotonic()
        child.wait()
    return Undisturbed(source, tree(target), time.monotonic() - started)


def kill_and_resume(whole: Undisturbed, folder: Path, after_s: float) -> tuple[bool, int]:
    """Kill a conversion so many seconds after it began, then resume it.

    Returns
    -------
    (bool, int)
        Whether it had not finished yet, and how many regions were left to be
        taken over.

    Raises
    ------
    AssertionError
        If anyone could take the unfinished store for an image, or the resumed
        one differs from the one that was left alone.
    """
    target = folder / "a.zarr"
    with _begun(whole.source, target) as child:
        time.sleep(after_s)
        child.kill()
        child.wait()
    unfinished = not target.exists()
    if unfinished:
        try:
            open_image(target)
        except StoreNotFound:
            pass
        else:
            raise AssertionError("an unfinished store was opened")
    resumed = 0
    if unfinished or target.with_name("a.zarr.partial").exists():
        resumed = convert(whole.source, target, options(resume=True)).resumed_regions
    assert tree(target) == whole.files, f"killed after {after_s} s: the store differs"
    assert [path.name for path in folder.iterdir()] == ["a.zarr"]
    return unfinished, resumed


def _begun(source: Path, target: Path) -> subprocess.Popen[str]:
    """A process whose conversion is about to begin."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(source), str(target)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def _main(moments: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = undisturbed(folder, 1600)
        random.seed(0)
        for number in range(moments):
            place = folder / f"cut{number}"
            place.mkdir()
            after_s = random.uniform(0, whole.seconds * 1.1)
            unfinished, resumed = kill_and_resume(whole, place, after_s)
            state = "unfinished" if unfinished else "finished"
            sys.stdout.write(f"{after_s:.2f} s: {state}, {resumed} regions resumed, same bytes\n")
            shutil.rmtree(place)


if __name__ == "__main__":
    _main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
