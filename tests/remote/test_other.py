"""Addresses that go through fsspec: the same translation, without conditions to write under."""

from __future__ import annotations

from pathlib import Path

import pytest

from stable_tiles.errors import OutputExists
from stable_tiles.hold import Hold
from stable_tiles.remote.location import Remote, clear, files_of
from stable_tiles.translate.verb import translate
from tests.remote.bucket import fetched, put
from tests.remote.test_translate import Scene
from tests.translate.scenes import options

SOURCE, TARGET = "memory://other/in/a.zarr", "memory://other/out/b.zarr"


def test_any_address_that_fsspec_knows_takes_a_translation(tmp_path: Path) -> None:
    clear(Remote("memory://other"))
    scene = Scene(tmp_path)
    put(scene.source, SOURCE)
    hold = Hold(Remote(f"{TARGET}.partial"))
    hold.take()
    with pytest.raises(OutputExists, match="is being written by process"):
        translate(SOURCE, TARGET, options(scene.run))
    hold.release()
    for part in ((1, 2), (0, 2)):
        translate(SOURCE, TARGET, options(scene.run, part=part))
    assert fetched(TARGET) == scene.expected
    assert not list(files_of(Remote(f"{TARGET}.partial")))
