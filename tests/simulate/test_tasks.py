from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from stable_tiles.errors import InputError
from stable_tiles.simulate.tasks import TASKS, load_task


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_task_knows_its_name_and_can_be_recorded(name: str) -> None:
    task = load_task(name)
    assert task.name == name
    assert json.loads(json.dumps(asdict(task)))


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="calcium, dapi, he, mri, penicillium, planaria"):
        load_task("weather")
