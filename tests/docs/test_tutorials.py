"""Every command of the tutorials is run, by running the notebooks that are made of them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stable_tiles.image.store import open_image
from tests.docs.commands import ROOT, blocks, commands, look, serves

if importlib.util.find_spec("nbclient") is None or importlib.util.find_spec("jupytext") is None:
    pytest.skip("no notebooks: pip install 'stable-tiles[docs]'", allow_module_level=True)

TRANSLATED = {
    "slide": "new.translated.zarr",
    "movie": "new.translated.zarr",
    "volume": "patient.translated.zarr",
}
"""What each tutorial ends with."""


def test_every_tutorial_is_run() -> None:
    assert set(TRANSLATED) == {path.stem for path in (ROOT / "docs/tutorials").glob("*.md")}


@pytest.mark.parametrize("name", sorted(TRANSLATED))
def test_a_tutorial_does_what_it_says(name: str, tmp_path: Path) -> None:
    script = str(ROOT / "docs" / "make_notebooks.py")
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "JUPYTER_PLATFORM_DIRS": "1"}
    done = subprocess.run(
        [sys.executable, script, str(tmp_path), name, "--execute"],
        capture_output=True,
        text=True,
        check=False,
        env=alone,
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / name
    notebook = json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "tutorials" / f"{name}.md").read_text(encoding="utf-8")
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) == len(blocks(text, ("bash", "python")))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    made = open_image(folder / TRANSLATED[name])
    assert made.attributes["kind"] == "translation"
    (shown,) = (words for words in commands(text) if serves(words))
    assert len(look(shown, folder)["stores"]) == 2
