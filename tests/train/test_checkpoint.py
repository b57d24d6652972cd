from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.train.checkpoint import (
    STATE,
    TENSORS,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)


def _tree(value: float) -> dict[str, object]:
    return {
        "weights": {"w": torch.full((2, 3), value), "half": torch.ones(2, dtype=torch.bfloat16)},
        "optimizer": {"state": {0: {"step": torch.tensor(4.0)}}, "groups": [{"lr": 1e-4}]},
        "log": ["a line", None, True, 3],
    }


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        | st.dictionaries(st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=25)
@given(tree=_plain)
def test_plain_values_come_back_as_they_were(
    tree: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("checkpoints")
    save_checkpoint(folder, Checkpoint(3, {"tree": tree}), keep=1)
    assert load_checkpoint(folder) == Checkpoint(3, {"tree": tree})


def test_tensors_come_back_bit_for_bit(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint(7, _tree(0.1)), keep=1)
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found.tree["optimizer"]["groups"] == [{"lr": 1e-4}]
    assert torch.equal(found.tree["weights"]["w"], torch.full((2, 3), 0.1))
    assert found.tree["weights"]["half"].dtype == torch.bfloat16
    assert found.tree["optimizer"]["state"][0]["step"].item() == 4.0


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        save_checkpoint(tmp_path, Checkpoint(step, _tree(step)), keep=2)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["step-00000030", "step-00000040"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "no state", "half json"])
def test_a_torn_checkpoint_is_passed_over(tmp_path: Path, damage: str) -> None:
    save_checkpoint(tmp_path, Checkpoint(10, _tree(1.0)), keep=3)
    newest = save_checkpoint(tmp_path, Checkpoint(20, _tree(2.0)), keep=3)
    tensors, state = newest / TENSORS, newest / STATE
    content = bytearray(tensors.read_bytes())
    if damage == "truncate":
        tensors.write_bytes(content[:-5])
    elif damage == "flip":
        content[-1] ^= 1
        tensors.write_bytes(content)
    elif damage == "no state":
        state.unlink()
    else:
        state.write_text(state.read_text()[:40])
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found.step == 10


def test_an_unfinished_checkpoint_is_not_one_and_is_swept(tmp_path: Path) -> None:
    (tmp_path / "step-00000030.partial").mkdir()
    (tmp_path / "step-00000030.partial" / STATE).write_text("{}")
    assert load_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path, Checkpoint(40, _tree(1.0)), keep=1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["step-00000040"]


def test_nothing_in_a_checkpoint_is_a_pickle(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, Checkpoint(1, _tree(1.0)), keep=1)
    assert {entry.name for entry in folder.iterdir()} == {TENSORS, STATE}


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "absent") is None
