"""Progress: how a verb tells its caller how far it is, without printing."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is counted (``"regions"``, ``"steps"``), how many are done, and of how many."""


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""
