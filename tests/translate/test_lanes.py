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

    assert list(lanes.map(slow, enumerate(delays))) == list(range(len(delays)))
    lanes.close()


def test_items_are_taken_only_a_few_ahead_of_those_handed_back() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 50:
            taken += 1
            yield taken

    lanes = Lanes(2)
    made = lanes.map(lambda item: item, items())
    next(made)
    assert taken <= 4
    lanes.close()


def test_who_waits_for_the_last_item_hears_of_it_while_it_is_in_work() -> None:
    lanes, gate = Lanes(1), threading.Event()
    told: list[int] = []

    def wait(item: int) -> tuple[int, bool]:
        return item, item < 3 or gate.wait(10)

    def emptied() -> None:
        told.append(1)
        gate.set()

    made = lanes.map(wait, [1, 2, 3], emptied)
    assert next(made) == (1, True)
    assert not told
    assert list(made) == [(2, True), (3, True)]
    assert told == [1]
    lanes.close()


def test_an_error_reaches_whoever_waits_and_the_lane_goes_on() -> None:
    lanes = Lanes(1)

    def fails(_: int) -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(lanes.map(fails, [1, 2]))
    assert list(lanes.map(abs, [-1])) == [1]
    lanes.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        list(lanes.map(abs, [-1]))
