import time
from threading import Lock, active_count

import pytest

from stable_tiles.train.loader import ahead


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_batches_come_in_order_for_any_number_of_workers(workers: int) -> None:
    def make(step: int) -> int:
        time.sleep(0.001 * (step % 3))
        return step * step

    assert list(ahead(make, range(3, 23), workers)) == [step * step for step in range(3, 23)]


def test_an_error_is_raised_where_its_batch_is_due() -> None:
    def make(step: int) -> int:
        if step == 5:
            raise OSError("broken chunk")
        return step

    batches = ahead(make, range(10), 2)
    assert [next(batches) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(OSError, match="broken chunk"):
        next(batches)


def test_little_is_made_ahead_and_threads_end_with_the_consumer() -> None:
    made: list[int] = []
    lock = Lock()

    def make(step: int) -> int:
        with lock:
            made.append(step)
        return step

    before = active_count()
    batches = ahead(make, range(1000), 2)
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # a generator, typed as what callers need
    assert len(made) <= 6
    assert active_count() == before
