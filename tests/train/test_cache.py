from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.train.cache import BlockCache


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 9), max_size=60), st.integers(8, 60))
def test_what_is_kept_never_exceeds_the_capacity(keys: list[int], capacity: int) -> None:
    cache = BlockCache[int](lambda key: np.full(8, key, np.uint8), capacity)
    for key in keys:
        assert (cache.load(key) == key).all()
        assert cache.bytes <= capacity


def test_a_block_is_read_once_while_it_fits() -> None:
    reads: list[int] = []

    def read(key: int) -> np.ndarray:
        reads.append(key)
        return np.zeros(4, np.uint8)

    cache = BlockCache[int](read, 8)
    for key in (1, 2, 1, 2, 3, 2, 1):
        cache.load(key)
    assert reads == [1, 2, 3, 1]


def test_threads_that_want_one_block_share_one_read() -> None:
    reads: list[str] = []
    together = Barrier(4)

    def read(key: str) -> np.ndarray:
        reads.append(key)
        return np.zeros(4, np.uint8)

    cache = BlockCache[str](read, 100)

    def want(_: int) -> int:
        together.wait()
        return cache.load("block").nbytes

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(want, range(4))) == [4, 4, 4, 4]
    assert reads == ["block"]


def test_a_failed_read_is_raised_and_tried_again() -> None:
    failures = [OSError("no disk")]

    def read(key: str) -> np.ndarray:
        if failures:
            raise failures.pop()
        return np.zeros(1, np.uint8)

    cache = BlockCache[str](read, 10)
    with pytest.raises(OSError, match="no disk"):
        cache.load("block")
    assert cache.load("block").shape == (1,)
