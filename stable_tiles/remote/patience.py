"""Patience: a request is made again until it succeeds, cannot, or the work is stopped.

Errors are told in one line of our own: what a library says may hold a
signature or a key.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from stable_tiles.errors import StoreNotFound, StoreUnreachable

TRIES = 14
"""How often a request is made at most; the waits between sum up to about a minute."""

FIRST_TRIES = 6
"""The same for the first request to a store: a wrong address is told after seconds."""

_WAIT_S, _LONGEST_WAIT_S = 0.1, 10.0

_PASSING = frozenset({408, 429})
"""Answers of 4xx that say no more than: not now."""

Result = TypeVar("Result")


class _Bell:
    """Wakes who waits for the next try, when the work is stopped."""

    def __init__(self) -> None:
        self._event = Event()

    def ring(self) -> None:
        self._event, rung = Event(), self._event
        rung.set()

    def wait(self, seconds: float) -> bool:
        return self._event.wait(seconds)


_BELL = _Bell()


def stop_waiting() -> None:
    """Let all requests of this process that wait for another try fail now."""
    _BELL.ring()


def patiently(call: Callable[[], Result], where: str, patient: bool = True) -> Result:
    """What a request returns, made again after failures that may pass.

    Parameters
    ----------
    call : function
        Makes the request.
    where : str
        What is told of the address.
    patient : bool
        Whether to try `TRIES` times, not `FIRST_TRIES`.

    Raises
    ------
    StoreUnreachable
        If it failed for good; the line says how.
    FileNotFoundError
        If there is no such object.
    """
    tries = TRIES if patient else min(TRIES, FIRST_TRIES)
    for attempt in range(1, tries + 1):
        try:
            return call()
        except Exception as error:
            reason = _passing(error, where)
        last = attempt == tries
        if last or _BELL.wait(_pause(attempt)):
            break
    raise StoreUnreachable(
        f"{where} does not answer ({reason}, tried {attempt} times): check the address, the "
        f"network{_and_endpoint(where)}"
    )


def _pause(attempt: int) -> float:
    """Seconds until the next try: twice as long each time, and not all clients at once."""
    longest: float = min(_LONGEST_WAIT_S, _WAIT_S * 2 ** (attempt - 1))
    return longest * random.uniform(0.5, 1.0)


def _passing(error: Exception, where: str) -> str:
    """Why a request failed in a way that may pass; what will not pass is raised."""
    text, status = str(error), _status(error)
    if "NoSuchBucket" in text:
        raise StoreNotFound(f"no bucket for {where}: check the name, or make it") from None
    if "169.254.169.254" in text or "redentials" in type(error).__name__:
        raise StoreUnreachable(
            f"no credentials for {where}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_SKIP_SIGNATURE=true for a public bucket"
        ) from None
    name = type(error).__name__
    if status in {401, 403} or name in {"PermissionDeniedError", "UnauthenticatedError"}:
        raise _forbidden(where) from None
    if isinstance(error, PermissionError):
        raise _forbidden(where) from None
    known = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
    if isinstance(error, known) or name in {"PreconditionError", "AlreadyExistsError"}:
        raise error
    if status is not None and status < 500 and status not in _PASSING:
        raise StoreUnreachable(f"{where}: the server answers {status}") from None
    if not _of_the_network(error):
        raise error
    return f"status {status}" if status is not None else _kind(error)


def _forbidden(where: str) -> StoreUnreachable:
    keys = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN"
    advice = f"{keys} and the rights on the bucket" if _is_s3(where) else "your rights there"
    return StoreUnreachable(f"{where} is forbidden: check {advice}")


def _and_endpoint(where: str) -> str:
    return " and AWS_ENDPOINT_URL" if _is_s3(where) else ""


def _is_s3(where: str) -> bool:
    return where.startswith("s3://")


def _status(error: Exception) -> int | None:
    """The HTTP status that an error tells of."""
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status
    found = re.search(r"status code: (\d{3})", str(error))
    return int(found[1]) if found else None


def _of_the_network(error: Exception) -> bool:
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or library in {"obstore", "aiohttp", "botocore", "fsspec"}


def _kind(error: Exception) -> str:
    """What happened, in words that hold nothing of the request."""
    found = re.search(r"kind: (\w+)", str(error))
    return f"{found[1].lower()} error" if found else type(error).__name__
