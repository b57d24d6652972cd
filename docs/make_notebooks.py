"""Make notebooks of the tutorials: every block of commands or Python becomes a cell.

    python docs/make_notebooks.py OUT               # the notebooks
    python docs/make_notebooks.py OUT --execute     # run them in OUT too, and keep what they print

The tutorials are the one source: what is changed there is changed here.
`--steps N` trains for so long, and copies the pictures that come out to
``docs/images``, where the tutorials show them.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image
from traitlets.config import Config

DOCS = Path(__file__).parent
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))

HEADER = """---
jupyter:
  kernelspec:
    name: python3
    display_name: Python 3
    language: python
---
"""
"""Without it the language of most blocks, which is the shell's, would be the notebook's."""

STEPS = re.compile(r"(?<=--set training\.steps=)\d+")
"""How long a tutorial trains."""

PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)\n*(?:\*[^\n]*\*\n)?")
RELATIVE = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)]*\)")


def notebook(tutorial: Path, steps: int | None = None) -> NotebookNode:
    """The tutorial as a notebook without output.

    Pictures are left out, for the cells make them, and of links to other pages
    the words stay.  Cells of commands stop at the first that fails.  One that
    serves a page goes on in the background, and is left out by `execute`.
    """
    text = tutorial.read_text(encoding="utf-8")
    if steps:
        text = STEPS.sub(str(steps), text)
    made = jupytext.reads(HEADER + RELATIVE.sub(r"\1", PICTURE.sub("", text)), fmt="md")
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
        if cell.source.startswith("%%bash\nstable-tiles view") and "--export" not in cell.source:
            cell.source = cell.source.replace("%%bash", "%%bash --bg", 1)
            cell.metadata["tags"] = ["skip-execution"]
        else:
            cell.source = cell.source.replace("%%bash", "%%script bash -e", 1)
    return made


def write_notebook(tutorial: Path, folder: Path) -> Path:
    """Write the tutorial's notebook into a folder, and say where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{tutorial.stem}.ipynb"
    nbformat.write(notebook(tutorial), path)
    return path


def execute(tutorial: Path, folder: Path, steps: int | None = None) -> Path:
    """Run the tutorial's notebook in a folder, write it there with its output, and say where.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    programs = str(Path(sys.executable).parent)
    os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    made = notebook(tutorial, steps)
    with TemporaryDirectory() as sockets:
        private = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})
        where = {"metadata": {"path": str(folder)}}
        client = NotebookClient(
            made, timeout=3600, startup_timeout=600, resources=where, config=private
        )
        client.execute()
    path = folder / f"{tutorial.stem}.ipynb"
    nbformat.write(made, path)
    return path


def keep_picture(picture: Path, target: Path) -> None:
    """Write a picture with 128 colours: a small file."""
    Image.open(picture).convert("RGB").quantize(128).save(target, optimize=True)


def main() -> None:
    """Make, and run, the notebooks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the notebooks and all that they write")
    parser.add_argument("tutorials", nargs="*", help="names such as slide; all by default")
    parser.add_argument("--execute", action="store_true", help="run them")
    parser.add_argument("--steps", type=int, help="run them, train so long, keep their pictures")
    asked = parser.parse_args()
    for tutorial in TUTORIALS:
        if asked.tutorials and tutorial.stem not in asked.tutorials:
            continue
        if asked.execute or asked.steps:
            path = execute(tutorial, asked.out / tutorial.stem, asked.steps)
        else:
            path = write_notebook(tutorial, asked.out)
        if asked.steps:
            keep_picture(
                path.with_suffix(".png"), DOCS / "images" / f"tutorial_{tutorial.stem}.png"
            )
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
