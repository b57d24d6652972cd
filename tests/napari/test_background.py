from __future__ import annotations

import time

from stable_tiles.errors import InputError
from stable_tiles.napari.background import Background
from stable_tiles.progress import Progress

PATIENCE_S = 20.0


def test_it_tells_how_far_it_is_and_what_came_of_it() -> None:
    def work(progress: Progress) -> str:
        progress("regions", 3, 4)
        return "made"

    job = Background(work)
    job.wait(PATIENCE_S)
    assert (job.running, job.result, job.error) == (False, "made", None)
    assert job.progress == ("regions", 3, 4)


def test_an_error_is_one_line() -> None:
    def work(progress: Progress) -> None:
        raise InputError("wrong\nand more of it")

    job = Background(work)
    job.wait(PATIENCE_S)
    assert (job.result, job.error) == (None, "wrong")


def test_cancelling_interrupts_it_where_it_reports() -> None:
    def work(progress: Progress) -> None:
        while True:
            time.sleep(0.01)
            progress("regions", 0, 1)

    job = Background(work)
    assert job.running
    job.cancel()
    job.wait(PATIENCE_S)
    assert not job.running
    assert job.error is not None
    assert "cancelled" in job.error
