from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_tiles.errors import InputError
from stable_tiles.simulate.plan import SimulateOptions, plan
from stable_tiles.simulate.tasks import TASKS, load_task


@given(st.integers(1, 40), st.sampled_from(sorted(TASKS)))
def test_no_training_scene_is_used_twice_and_test_scenes_are_shared(count: int, task: str) -> None:
    options = SimulateOptions(count=count)
    outputs = plan(load_task(task), options)
    train = [o for o in outputs if o.path.parts[0] == "train"]
    test = [o for o in outputs if o.path.parts[0] == "test"]
    scenes = Counter(o.scene.name for o in train)
    assert len(scenes) == len(train) == 2 * count
    assert not {o.scene.name for o in test} & set(scenes)
    folders = {o.path.parent.name for o in test}
    assert {"A", "B"} <= folders
    assert ("labels" in folders) == (task not in {"mri", "penicillium"})
    for name in {o.path.name for o in test}:
        same = [o for o in test if o.path.name == name]
        assert {o.path.parent.name for o in same} == folders
        assert len({o.scene.name for o in same}) == 1


def test_axes_exist_where_they_are_longer_than_one() -> None:
    task = load_task("calcium")
    assert {o.axes.names for o in plan(task, SimulateOptions())} == {"yx"}
    movies = plan(task, SimulateOptions(frames=3, slices=2, channels=2))
    by_view = {o.view: (o.axes.names, o.shape) for o in movies}
    assert by_view["a"] == ("tczyx", (3, 2, 2, 512, 512))
    assert by_view["labels"] == ("zyx", (1, 1, 2, 512, 512))
    assert {o.axes.names for o in plan(load_task("he"), SimulateOptions())} == {"cyx", "yx"}


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("he", SimulateOptions(frames=2), "leave out --frames"),
        ("he", SimulateOptions(slices=2), "leave out --slices"),
        ("he", SimulateOptions(channels=1), "channels: use 3"),
        ("mri", SimulateOptions(frames=2), "leave out --frames"),
        ("dapi", SimulateOptions(channels=2), "channels: use 1$"),
        ("calcium", SimulateOptions(channels=9), "channels: use 1 to 6"),
    ],
)
def test_what_a_task_does_not_have_is_refused(
    task: str, options: SimulateOptions, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan(load_task(task), options)


@pytest.mark.parametrize(
    "options", [{"size": 8}, {"count": 0}, {"frames": 0}, {"slices": -1}, {"seed": -1}], ids=str
)
def test_numbers_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        SimulateOptions(**options)  # type: ignore[arg-type]  # all given are integers
