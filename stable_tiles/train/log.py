"""log.jsonl: one line for every logged step, the losses apart from the rates.

Losses are means since the line before, so that they are a function of the
run alone; everything a clock decides stands under ``rates``.  Each line is
shown to TensorBoard too, and read for trouble: what is found becomes a line
of its own and a warning.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from stable_tiles.errors import WorkFailed
from stable_tiles.train.tensorboard import Board
from stable_tiles.train.trouble import Trouble


class LossLog:
    """Averages losses between lines and appends lines to a file.

    Parameters
    ----------
    file : Path or None
        The log; made when the first line is written.  None writes nothing:
        the log of a process that does not lead.
    patches : int
        Patches of both domains in a step, for the rate.
    board : Board or None
        Where numbers are shown as well.

    Attributes
    ----------
    last : dict of str to float
        The mean losses of the last line that was written here.
    """

    def __init__(self, file: Path | None, patches: int, board: Board | None = None) -> None:
        self.last: dict[str, float] = {}
        self._file = file
        self._patches = patches
        self._board = board
        self._trouble = Trouble()
        self._sums: dict[str, torch.Tensor] = {}
        self._steps = 0
        self._since = (time.monotonic(), 0)

    def add(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Count the losses of one step; nothing waits for the device."""
        for name, loss in losses.items():
            value = torch.as_tensor(loss).detach().double()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._steps += 1

    def mean(self) -> dict[str, float]:
        """Mean losses since the last line; empty right after one."""
        return {name: total.item() / self._steps for name, total in self._sums.items()}

    def check(self, step: int) -> None:
        """Raise WorkFailed where a loss has become NaN or infinite by `step`."""
        for name, value in self.mean().items():
            if not math.isfinite(value):
                raise WorkFailed(
                    f"the loss {name} is {value} by step {step}: lower training.learning_rate "
                    "or use --precision 32, then --resume from the last checkpoint"
                )

    def write(self, step: int) -> None:
        """Append the line of `step` and begin the next mean."""
        now, losses = time.monotonic(), self.mean()
        seconds, steps = now - self._since[0], step - self._since[1]
        rates = {
            "seconds": round(seconds, 3),
            "steps_per_second": round(steps / seconds, 4) if seconds else None,
            "patches_per_second": round(steps * self._patches / seconds, 2) if seconds else None,
        }
        self.append({"step": step, **losses, "rates": rates})
        self._sums, self._steps, self._since = {}, 0, (now, step)
        self.last = losses

    def append(self, line: Mapping[str, Any]) -> None:
        """Append a line as it is, and what it shows of trouble after it."""
        if self._file is None:
            return
        self._write(line)
        if self._board is not None and (numbers := _numbers(line)):
            self._board.scalars(line["step"], numbers)
        for sentence in self._trouble.read(line):
            self._write({"step": line["step"], "trouble": sentence})
            warnings.warn(sentence, UserWarning, stacklevel=1)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to go on with the same means."""
        return {"sums": dict(self._sums), "steps": self._steps}

    def restore(self, state: Mapping[str, Any], step: int) -> None:
        """Go on from a checkpoint: lines of later steps, and torn ones, leave the file."""
        self._sums, self._steps = dict(state["sums"]), state["steps"]
        self.start(step)
        if self._file is not None and self._file.exists():
            kept = [line for line in self.lines() if line["step"] <= step]
            replaced = self._file.with_suffix(".partial")
            text = "".join(f"{json.dumps(line)}\n" for line in kept)
            replaced.write_text(text, encoding="utf-8")
            replaced.replace(self._file)
            for line in kept:
                self._trouble.read(line)
        if self._board is not None:
            self._board.keep(step)

    def lines(self) -> list[dict[str, Any]]:
        """The lines that are written, but for a torn last one."""
        if self._file is None or not self._file.exists():
            return []
        text = self._file.read_text(encoding="utf-8")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def start(self, step: int) -> None:
        """Rates count from now and this step."""
        self._since = (time.monotonic(), step)


def _numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """The line's numbers by the tags that TensorBoard groups them with."""
    if "skipped" in line:
        return {}
    losses = {f"losses/{k}": v for k, v in line.items() if k != "step" and _shown(v)}
    groups = (_flat(k, v) for k, v in line.items() if isinstance(v, dict))
    return dict(chain(losses.items(), *groups))


def _flat(tag: str, group: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in group.items():
        if isinstance(value, dict):
            yield from _flat(f"{tag}/{name}", value)
        elif _shown(value):
            yield f"{tag}/{name}", value


def _shown(value: object) -> bool:
    return isinstance(value, int | float)
