import json
from pathlib import Path

import pytest
import torch

from stable_tiles.errors import WorkFailed
from stable_tiles.train.log import LossLog


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
