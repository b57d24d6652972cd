import json
from pathlib import Path

import pytest
import torch

from stable_tiles.errors import WorkFailed
from stable_tiles.train.log import LossLog
from stable_tiles.train.tensorboard import Board
from stable_tiles.train.trouble import LINES
from tests.train.test_tensorboard import scalars


def _lines(file: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "rates"} for line in lines]


def _count(log: LossLog, values: list[float]) -> None:
    for value in values:
        log.add({"cycle": torch.tensor(value), "total": torch.tensor(2 * value)})


def test_a_line_holds_the_mean_since_the_line_before(tmp_path: Path) -> None:
    log = LossLog(tmp_path / "log.jsonl", 2)
    _count(log, [1.0, 3.0])
    log.write(2)
    _count(log, [10.0])
    log.write(3)
    assert log.last == {"cycle": 10.0, "total": 20.0}
    assert _lines(tmp_path / "log.jsonl") == [
        {"step": 2, "cycle": 2.0, "total": 4.0},
        {"step": 3, "cycle": 10.0, "total": 20.0},
    ]


def test_going_on_from_a_checkpoint_writes_the_lines_of_a_run_without_a_break(
    tmp_path: Path,
) -> None:
    values = [0.1 * i for i in range(9)]
    whole = LossLog(tmp_path / "whole.jsonl", 2)
    broken = LossLog(tmp_path / "broken.jsonl", 2)
    for step, value in enumerate(values, 1):
        for log in (whole, broken):
            _count(log, [value])
            if step == 5:
                state = broken.state()
            if step % 2 == 0:
                log.write(step)
    with (tmp_path / "broken.jsonl").open("a") as stream:
        stream.write('{"step": 9, "cyc')
    resumed = LossLog(tmp_path / "broken.jsonl", 2)
    resumed.restore(state, 5)
    for step, value in enumerate(values[5:], 6):
        _count(resumed, [value])
        if step % 2 == 0:
            resumed.write(step)
    assert _lines(tmp_path / "broken.jsonl") == _lines(tmp_path / "whole.jsonl")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_with_its_name_and_step(
    tmp_path: Path, value: float
) -> None:
    log = LossLog(tmp_path / "log.jsonl", 2)
    _count(log, [1.0, value, 1.0])
    with pytest.raises(WorkFailed, match=r"the loss cycle is (nan|inf) by step 30"):
        log.check(30)


def test_trouble_is_a_line_and_a_warning_and_is_not_said_again_after_a_resume(
    tmp_path: Path,
) -> None:
    won = {"total": torch.tensor(2.0), "discriminator_a": torch.tensor(0.0)}
    won["discriminator_b"] = won["discriminator_a"]
    file = tmp_path / "log.jsonl"

    def advance(log: LossLog, steps: range) -> None:
        for step in steps:
            log.add(won)
            log.write(step)

    first = LossLog(file, 2)
    advance(first, range(1, LINES))
    state = first.state()
    second = LossLog(file, 2)
    second.restore(state, LINES - 1)
    with pytest.warns(UserWarning, match="right about every patch") as warned:
        advance(second, range(LINES, LINES + 1))
    assert len(warned) == 1
    assert _lines(file)[-1]["step"] == LINES
    assert "right about every patch" in str(_lines(file)[-1]["trouble"])
    third = LossLog(file, 2)
    third.restore(second.state(), LINES)
    advance(third, range(LINES + 1, 3 * LINES))
    assert sum("trouble" in line for line in _lines(file)) == 1


def test_numbers_are_shown_to_tensorboard_by_groups(tmp_path: Path) -> None:
    log = LossLog(tmp_path / "log.jsonl", 2, Board(tmp_path / "board"))
    _count(log, [1.0])
    log.write(1)
    log.append({"step": 2, "validation": {"cycle": 0.5}})
    log.append({"step": 2, "skipped": {"domain": "a", "level": 0}})
    seen = {(step, tag) for step, tag, _ in scalars(tmp_path / "board")}
    assert seen >= {(1, "losses/cycle"), (1, "losses/total"), (1, "rates/seconds")}
    assert {tag for step, tag in seen if step == 2} == {"validation/cycle"}
    log.restore(log.state(), 1)
    assert {step for step, _, _ in scalars(tmp_path / "board")} == {1}
