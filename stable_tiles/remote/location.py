"""Location: a folder on a disk or behind a URL, by the few words that both understand.

A local one is a `Path`.  A `Remote` answers to the same names where they mean
the same.  Behind a URL there are no folders, only objects; each appears whole
or not at all, and none can be renamed.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from stable_tiles.errors import InputError
from stable_tiles.remote.objects import Entry, Objects, objects_at, shown

_READ_ONLY = ("http://", "https://", "zip://")

_REMOVED_AT_ONCE = 1000


@dataclass(frozen=True)
class Remote:
    """A folder, or an object, behind a URL.

    Parameters
    ----------
    address : str
        With all that is needed to reach it; never shown.  As text it is `str(remote)`,
        without user, password and query.
    """

    address: str = field(repr=False)

    def __str__(self) -> str:
        return shown(self.address)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return str(self).partition("::")[0].rstrip("/").rpartition("/")[2]

    @property
    def is_writable(self) -> bool:
        """Whether stores can be written there."""
        return not self.address.startswith(_READ_ONLY) and "::" not in self.address

    @property
    def objects(self) -> Objects:
        """What lies below."""
        return objects_at(self.address)

    def __truediv__(self, part: str) -> Remote:
        head, mark, tail = _parts(self.address)
        return Remote(f"{head.rstrip('/')}/{part}{mark}{tail}")

    def with_name(self, name: str) -> Remote:
        """What lies beside it under that name."""
        head, mark, tail = _parts(self.address)
        return Remote(f"{head.rstrip('/').rpartition('/')[0]}/{name}{mark}{tail}")

    def absolute(self) -> Remote:
        """Itself: an address depends on no folder."""
        return self

    def is_below(self, other: str | Location) -> bool:
        """Whether it is the same place as another, or lies in it."""
        mine, theirs = str(self).rstrip("/"), str(other).rstrip("/")
        return mine == theirs or mine.startswith(theirs + "/")

    def refuse_reading_only(self) -> None:
        """Raise InputError where nothing can be written."""
        if not self.is_writable:
            raise InputError(
                f"{self} can only be read: write to a local path, or to a store such as s3://"
            )

    def holds(self, key: str) -> bool:
        """Whether there is an object of that key."""
        return self.objects.stat(key) is not None

    def exists(self) -> bool:
        """Whether there is any object below."""
        return next(self.objects.entries(), None) is not None

    def is_file(self) -> bool:
        """Whether it is an object itself."""
        return self.objects.stat("") is not None


Location: TypeAlias = Path | Remote


def locate(where: str | Location) -> Location:
    """The location that a path or a URL names.

    Raises
    ------
    InputError
        If a URL of S3 holds a user or a password.
    """
    if isinstance(where, Remote):
        return where
    text = str(where)
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    if "://" not in text:
        return Path(where)
    if re.match(r"s3://[^/]*@", text):
        raise InputError(
            f"{shown(text)}: credentials do not belong into a URL: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    return Remote(text)


def reach(folder: Location, name: str) -> bytes | None:
    """As `read_whole`, of a store that was not asked before: a wrong address is told soon."""
    if isinstance(folder, Remote):
        return objects_at(folder.address, False).read(name)
    return read_whole(folder, name)


def read_whole(folder: Location, name: str) -> bytes | None:
    """A file of a folder; None where it is not."""
    if isinstance(folder, Remote):
        return folder.objects.read(name)
    try:
        return (folder / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_whole(folder: Location, name: str, data: bytes) -> None:
    """Write a file that appears whole, and is on disk when this returns."""
    if isinstance(folder, Remote):
        folder.objects.write(name, data)
        return
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / name)


def files_of(folder: Location) -> Iterator[tuple[str, Entry]]:
    """All files below a folder: path relative to it, size, and a tag where it has one."""
    if isinstance(folder, Remote):
        yield from folder.objects.entries()
        return
    for file in folder.rglob("*"):
        if file.is_file():
            yield str(file.relative_to(folder)), Entry(file.stat().st_size, "")


def clear(folder: Location, keep: tuple[str, ...] = ()) -> None:
    """Remove a folder with all that lies below, but for names that begin as those to keep."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
        return
    names = [name for name, _ in folder.objects.entries() if not (keep and name.startswith(keep))]
    for start in range(0, len(names), _REMOVED_AT_ONCE):
        folder.objects.remove(names[start : start + _REMOVED_AT_ONCE])


def _parts(address: str) -> tuple[str, str, str]:
    """Path, and what follows it: a query, or the rest of a chain of addresses."""
    found = re.search(r"\?|::", address)
    if found is None:
        return address, "", ""
    return address[: found.start()], found[0], address[found.end() :]
