"""Objects: bytes under keys behind a URL, in the few words that all libraries know.

`s3://` goes through obstore, all else through fsspec.  An object appears whole
or not at all, so nobody who writes needs a temporary name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from stable_tiles.errors import MissingExtra, first_line

Part = tuple[int, int]
"""First byte, and the byte behind the last."""


@dataclass(frozen=True)
class Entry:
    """Size of an object in bytes, and what its store calls this version of it."""

    bytes: int
    tag: str


class Objects(Protocol):
    """The objects below one address; safe to use from many threads."""

    def read(self, key: str, part: Part | None = None) -> bytes | None:
        """An object or a part of it; None where it is not."""
        ...

    def read_end(self, key: str, size: int) -> bytes | None:
        """The last bytes of an object; None where it is not."""
        ...

    def read_parts(self, key: str, parts: Sequence[Part]) -> list[bytes]:
        """Several parts of an object; those that lie close together in one request."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Put an object there, over any that is there."""
        ...

    def read_tagged(self, key: str) -> tuple[bytes, str] | None:
        """An object and the tag for `write_if`; None where it is not."""
        ...

    def write_if(self, key: str, data: bytes, tag: str | None) -> str | None:
        """The same if what is there has this tag, or nothing is for None.

        Returns the new tag, or None where another writer was faster.
        """
        ...

    def stat(self, key: str) -> Entry | None:
        """Size and tag of an object; None where it is not."""
        ...

    def entries(self, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """All objects below a key, or all."""
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there do not matter."""
        ...


@lru_cache(maxsize=64)
def objects_at(address: str, patient: bool = True) -> Objects:
    """The objects below an address, which nothing is asked of yet.

    Parameters
    ----------
    address : str
        With all that is needed to reach it.
    patient : bool
        Whether requests that fail are made again for about a minute, or for seconds.

    Raises
    ------
    MissingExtra
        If the address needs a package that is not installed.
    """
    try:
        # Each imports its library, which may not be installed.
        if not address.startswith("s3://"):
            from stable_tiles.remote.other import OtherObjects

            return OtherObjects(address, patient)
        from stable_tiles.remote.s3 import S3Objects

        return S3Objects(address, patient)
    except (ImportError, ValueError) as error:
        raise MissingExtra(
            f"{shown(address)} needs a package that is not here ({first_line(error)}): "
            "pip install 'stable-tiles[remote]'"
        ) from None


def shown(address: str) -> str:
    """An address as it may be shown: without user, password, query and fragment."""
    head = address.partition("?")[0].partition("#")[0]
    return re.sub(r"(?<=://)[^/@]*@", "", head)
