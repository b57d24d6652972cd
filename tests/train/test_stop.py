import os
import signal
from threading import Thread

import pytest

from stable_tiles.train.stop import stop_requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_and_handlers_return(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_requests() as wish:
        assert not wish.is_set()
        os.kill(os.getpid(), number)
        assert wish.wait(1)
        assert signal.getsignal(number) is before, "a second signal acts at once"
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_nothing_is_caught() -> None:
    seen: list[bool] = []

    def work() -> None:
        with stop_requests() as wish:
            seen.append(wish.is_set())

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
