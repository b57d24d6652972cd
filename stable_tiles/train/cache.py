"""Decoded blocks by key: read once, kept while they fit, shared by threads.

Readers of one key wait for the first of them; readers of different keys do
not wait for each other.  Nothing here knows what a block is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

import numpy as np

Key = TypeVar("Key", bound=Hashable)


class BlockCache(Generic[Key]):
    """The most recently used arrays, up to a number of bytes.

    Parameters
    ----------
    read : callable
        Reads the array of a key; called without a lock held.
    capacity : int
        Bytes of arrays to keep.  The array asked for last is kept even where
        it alone is larger.
    """

    def __init__(self, read: Callable[[Key], np.ndarray], capacity: int) -> None:
        self._read = read
        self._capacity = capacity
        self._lock = Lock()
        self._blocks: OrderedDict[Key, Future[np.ndarray]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes of the arrays that are kept now."""
        return self._bytes

    def load(self, key: Key) -> np.ndarray:
        """The array of `key`, read if it is not kept; errors of `read` pass through."""
        with self._lock:
            known = self._blocks.get(key)
            if known is None:
                mine: Future[np.ndarray] = Future()
                self._blocks[key] = mine
            else:
                self._blocks.move_to_end(key)
        return self._fill(key, mine) if known is None else known.result()

    def _fill(self, key: Key, block: Future[np.ndarray]) -> np.ndarray:
        try:
            array = self._read(key)
        except BaseException as error:
            with self._lock:
                self._blocks.pop(key, None)
            block.set_exception(error)
            raise
        block.set_result(array)
        with self._lock:
            self._bytes += array.nbytes
            self._evict(key)
        return array

    def _evict(self, newest: Key) -> None:
        if self._bytes <= self._capacity:
            return
        for key in list(self._blocks):
            if self._bytes <= self._capacity:
                return
            if key != newest and self._blocks[key].done():
                self._bytes -= self._blocks.pop(key).result().nbytes
