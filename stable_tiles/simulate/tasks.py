"""The tasks by name; each is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from stable_tiles.errors import InputError

if TYPE_CHECKING:
    from stable_tiles.simulate.scene import Task

TASKS = {
    "calcium": "Calcium",
    "dapi": "Dapi",
    "he": "HematoxylinEosin",
    "mri": "DualEcho",
    "penicillium": "Penicillium",
    "planaria": "Planaria",
}
"""Class of each task, which lies in the module of the task's name."""


def load_task(name: str) -> Task:
    """The task of that name, with its default parameters.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in TASKS:
        raise InputError(f"no simulated task {name!r}: use one of {', '.join(sorted(TASKS))}")
    module = import_module(f"stable_tiles.simulate.{name}")
    task: Task = getattr(module, TASKS[name])()
    return task
