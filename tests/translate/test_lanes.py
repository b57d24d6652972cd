from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.translate.lanes import Lanes


@given(st.integers(1, 4), st.lists(st.integers(0, 3), max_size=20))
@settings(deadline=None, max_examples=20)
def test_results_come_in_the_order_of_their_items_whatever_each_takes(
    number: int, delays: list[int]
) -> None:
    lanes = Lanes(number)

    def slow(item: tuple[int, int]) -> int:
        time.sleep(item[1] / 1000)
        return item[0]

    assert list(lanes.map(slow, enumerate(delays), 0)) == list(range(len(delays)))
    lanes.close()


def test_items_are_taken_only_a_few_ahead_of_those_handed_back() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 50:
            taken += 1
            yield taken

    lanes = Lanes(2)
    made = lanes.map(lambda item: item, items(), 0)
    next(made)
    assert taken <= 4
    lanes.close()


def test_the_work_of_the_lowest_rank_comes_first() -> None:
    lanes = Lanes(1)
    order: list[int] = []
    gate = threading.Event()

    def block(_: int) -> None:
        gate.wait(10)

    holding = threading.Thread(target=lambda: list(lanes.map(block, [0], 0)))
    holding.start()
    waiting = []
    for rank in (3, 1, 2):
        thread = threading.Thread(target=lambda r=rank: list(lanes.map(order.append, [r], r)))
        thread.start()
        waiting.append(thread)
        time.sleep(0.05)
    gate.set()
    for thread in (holding, *waiting):
        thread.join(10)
    assert order == [1, 2, 3]
    lanes.close()


def test_an_error_reaches_whoever_waits_and_the_lane_goes_on() -> None:
    lanes = Lanes(1)

    def fails(_: int) -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(lanes.map(fails, [1, 2], 0))
    assert list(lanes.map(abs, [-1], 0)) == [1]
    lanes.close()
    with pytest.raises(RuntimeError, match="closed"):
        list(lanes.map(abs, [-1], 0))
