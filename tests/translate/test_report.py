from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.translate.report import Busy


@given(st.integers(0, 300), st.integers(1, 4), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_busy_time_is_what_spans_cover_and_few_of_them_are_kept(
    number: int, at_once: int, chance: Random
) -> None:
    free = [0] * at_once
    spans = []
    for _ in range(number):
        lane = chance.randrange(at_once)
        began = free[lane] + chance.choice([0, 0, 50])
        free[lane] = began + chance.randint(1, 20)
        spans.append((began, free[lane]))
    busy, covered = Busy(), set[int]()
    for began, ended in sorted(spans, key=lambda span: span[1]):
        busy.add(began, ended)
        covered.update(range(began, ended))
        assert len(busy.open) <= 64
    assert busy.seconds == len(covered)
