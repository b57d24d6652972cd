"""The right to write behind a URL: one holder, named, and it ends with the process."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from stable_tiles.errors import OutputExists
from stable_tiles.hold import Hold, locked
from stable_tiles.remote import lease
from stable_tiles.remote.lease import HELD, Holder, Lease
from stable_tiles.remote.location import Remote

FOLDER = Remote("memory://leases/a.zarr.partial")
ELSEWHERE = Holder(1, "another-machine", 0.0, "token")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life come and end soon."""
    monkeypatch.setattr(lease, "BEAT_S", 0.05)
    monkeypatch.setattr(lease, "DEAD_S", 0.5)
    monkeypatch.setattr(lease, "_LOOK_S", 0.02)
    FOLDER.objects.remove([key for key, _ in FOLDER.objects.entries()])


def test_a_second_one_is_refused_by_name_until_the_first_lets_go() -> None:
    first, second = Hold(FOLDER), Hold(FOLDER)
    first.take()
    with pytest.raises(OutputExists, match=r"is being written by process \d+ on"):
        second.take()
    first.release()
    second.take()
    second.release()
    assert not list(FOLDER.objects.entries())


@pytest.mark.parametrize("name", ["alone", "part-1"])
def test_a_holder_that_is_silent_too_long_has_lost_its_right(name: str) -> None:
    FOLDER.objects.write(HELD + name, ELSEWHERE.beaten(7))
    began = time.monotonic()
    hold = Hold(FOLDER)
    hold.take()
    assert time.monotonic() - began >= 0.5
    hold.release()


def test_a_holder_of_this_machine_whose_process_is_gone_is_not_waited_for() -> None:
    gone = replace(Holder.of_this_process(), process=2**22 + 1, token="x")
    FOLDER.objects.write(HELD + "alone", gone.beaten(0))
    hold = Hold(FOLDER)
    hold.take()
    hold.release()


def test_parts_share_and_whoever_wants_it_alone_is_refused() -> None:
    parts = [Hold(FOLDER, shared=True) for _ in range(3)]
    for part in parts:
        part.take()
    with pytest.raises(OutputExists):
        Hold(FOLDER).take()
    for part in parts:
        part.release()
    Hold(FOLDER).take()
    with pytest.raises(OutputExists):
        Hold(FOLDER, shared=True).take()


def test_who_was_overtaken_is_told() -> None:
    right = Lease(FOLDER, "alone")
    assert right.take() is None
    right.check()
    FOLDER.objects.write(HELD + "alone", ELSEWHERE.beaten(0))
    time.sleep(0.3)
    with pytest.raises(OutputExists, match="taken over"):
        right.check()
    right.release()
    assert FOLDER.objects.read(HELD + "alone") == ELSEWHERE.beaten(0)


def test_a_lock_is_waited_for() -> None:
    with locked(FOLDER):
        assert [key for key, _ in FOLDER.objects.entries()] == ["held/lock"]
    with locked(FOLDER):
        pass
