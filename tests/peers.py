"""Other programs that read what this package writes, in an environment of their own.

Their requirements and ours do not always agree, so tests run them as programs.
``STABLE_TILES_PEERS`` names the ``bin`` folder of an environment made by

    pip install "ngff-zarr[validate]" nifti-zarr bioio bioio-ome-tiff bioio-ome-zarr \
        ome-zarr napari-ome-zarr wsidicom
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "STABLE_TILES_PEERS"
_ABSENT = 42
_PREAMBLE = """
import importlib.util, json, sys, warnings
warnings.simplefilter("ignore")
for module in {modules!r}:
    if importlib.util.find_spec(module) is None:
        sys.exit({absent})
"""


def program(name: str) -> Path:
    """A program of the peers' environment; the test is skipped where it is not there."""
    folder = os.environ.get(VARIABLE)
    found = Path(folder or ".") / name
    if not folder or not found.is_file():
        pytest.skip(
            f"set {VARIABLE} to an environment's bin folder with {name}: see tests/peers.py"
        )
    return found


def run(modules: tuple[str, ...], script: str, *arguments: Path | str) -> Any:
    """What a script prints as JSON in the peers' environment, given its arguments.

    The test is skipped where one of the modules is not installed there.
    """
    preamble = _PREAMBLE.format(modules=modules, absent=_ABSENT)
    done = subprocess.run(
        [program("python"), "-c", preamble + script, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    if done.returncode == _ABSENT:
        pytest.skip(f"the peers' environment lacks one of {', '.join(modules)}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
