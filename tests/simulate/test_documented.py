"""What docs/simulation.md says of the tasks is what they do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stable_tiles.simulate.mri import TISSUES, DualEcho
from stable_tiles.simulate.tasks import TASKS, load_task

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "simulation.md").read_text(encoding="utf-8")


def rows(start: str) -> dict[str, list[str]]:
    """Rows of the table whose head starts so, by their first cell."""
    table = TEXT[TEXT.index(start) :].split("\n\n", 1)[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {row[0].strip("`"): row[1:] for row in (cells[0], *cells[2:])}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_table_of_tasks_says_what_each_can_do(name: str) -> None:
    task, row = load_task(name), rows("| task | A | B |")[name]
    extent, scale = task.extent, task.axes("zyx" if task.extent.depth else "yx", 256).scale
    assert bool(row[2]) == ("labels" in task.pictures(extent.channels.start))
    assert row[3].startswith("yes") == extent.time
    assert row[4].startswith("yes") == extent.depth
    assert row[5] == " to ".join(str(n) for n in sorted({extent.channels[0], extent.channels[-1]}))
    if extent.depth:
        assert f"{scale['z']:g} " in row[4].replace("apart", "")
    if name != "mri":
        assert row[6] == f"{scale['x']:g} um"


def test_the_table_of_signals_is_the_equation() -> None:
    task, table = DualEcho(), rows("| | fluid |")
    for name, sequence in (("A", task.t2_weighted), ("B", task.pd_weighted)):
        expected = [f"{sequence.signal(TISSUES[tissue]):.3f}" for tissue in table[""]]
        assert table[name] == expected


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_has_a_small_picture(name: str) -> None:
    (picture,) = re.findall(rf"\(images/(simulation_{name}\.png)\)", TEXT)
    assert (DOCS / "images" / picture).stat().st_size < 300_000


def drawn(folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """The script that draws the pictures, for one task."""
    script = str(DOCS / "make_simulation.py")
    command = [sys.executable, script, str(folder), "planaria", "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_the_pictures_can_be_drawn_again(shared_data: Path, tmp_path: Path) -> None:
    drawn(shared_data, tmp_path)
    assert 50_000 < (tmp_path / "simulation_planaria.png").stat().st_size < 300_000


def test_without_the_real_images_the_script_says_which_it_lacks(tmp_path: Path) -> None:
    assert "has no 6_snr/nuctrack_low.tif" in drawn(tmp_path / "none", tmp_path).stderr
    assert not list(tmp_path.glob("*.png"))
