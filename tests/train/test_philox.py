from itertools import islice

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.train.philox import words

WORD = st.integers(0, 2**64 - 1)


@settings(deadline=None, max_examples=50)
@given(st.tuples(WORD, WORD), st.tuples(WORD, WORD, WORD))
def test_words_are_those_of_numpys_generator(
    key: tuple[int, int], counter: tuple[int, int, int]
) -> None:
    theirs = np.random.Philox(
        key=np.array(key, np.uint64), counter=np.array([0, *counter], np.uint64)
    ).random_raw(10)
    assert list(islice(words(key, counter), 10)) == [int(word) for word in theirs]
