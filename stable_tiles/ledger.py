"""Ledger: what is done of an unfinished output, so that interrupted work resumes exactly.

A receipt is written after a region's data and names its files with their
digests; missing chunks prove nothing in Zarr, receipts do.  The ledger is
keyed to a fingerprint of all inputs, and whoever resumes with others is told
which differ.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from stable_tiles.checksum import file_checksum
from stable_tiles.errors import FingerprintMismatch, InputError
from stable_tiles.region import Region
from stable_tiles.remote.location import Location, Remote, files_of, read_whole, write_whole
from stable_tiles.remote.objects import Entry, Objects

_FINGERPRINT = "fingerprint.json"
_RECEIPTS = "receipts"

_READERS, _AT_ONCE = 16, 1024
"""Receipts behind a URL are read by so many threads, so many ahead."""


@dataclass(frozen=True)
class StoredFile:
    """A file of the store: its path relative to it, its size, and what tells it from others.

    That is its crc32c on a disk, and behind a URL the tag of this version of it.
    """

    path: str
    bytes: int
    mark: str

    @classmethod
    def of(cls, store: Location, path: str) -> StoredFile:
        """The file as it lies there now.

        Raises
        ------
        FileNotFoundError
            If it does not.
        """
        if isinstance(store, Remote):
            entry = store.objects.stat(path)
            if entry is None:
                raise FileNotFoundError(f"{store / path} was written and is not there")
            return cls(path, entry.bytes, entry.tag)
        return cls(path, *file_checksum(store / path))

    def is_intact(self, store: Path) -> bool:
        """Whether the store still holds exactly this file."""
        file = store / self.path
        if not file.is_file() or file.stat().st_size != self.bytes:
            return False
        return StoredFile.of(store, self.path) == self


@dataclass(frozen=True)
class Receipt:
    """Proof that a region is written.

    Parameters
    ----------
    region : Region
        What was written.
    files : tuple of StoredFile
        All files that hold it.
    values : dict
        What else is to be remembered of the work, as JSON (times, counts).
    """

    region: Region
    files: tuple[StoredFile, ...]
    values: dict[str, Any]

    @classmethod
    def of(
        cls, region: Region, store: Location, paths: Iterable[str], values: Mapping[str, Any]
    ) -> Receipt:
        """The receipt for files that are there now."""
        return cls(region, tuple(StoredFile.of(store, path) for path in paths), dict(values))

    def to_json(self) -> dict[str, Any]:
        """The receipt as JSON values."""
        return {
            "start": list(self.region.start),
            "stop": list(self.region.stop),
            "files": [[file.path, file.bytes, file.mark] for file in self.files],
            "values": self.values,
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Receipt:
        """The receipt that `to_json` described."""
        return cls(
            Region(tuple(tree["start"]), tuple(tree["stop"])),
            tuple(StoredFile(*file) for file in tree["files"]),
            dict(tree["values"]),
        )


class Ledger:
    """The receipts of one unfinished output; safe for many processes and threads.

    Each ledger that records appends lines to a file of its own.  A line that a
    kill tore does not count, and the next one begins behind it: a million
    receipts are as many files as there were writers.  Behind a URL nothing can
    be appended: there each receipt is an object.

    Parameters
    ----------
    folder : Path or Remote
        The folder of the unfinished output (``NAME.partial``).
    """

    def __init__(self, folder: Location) -> None:
        self.folder = folder
        self._own = folder / _RECEIPTS / f"{uuid4().hex}.jsonl"
        self._lock = Lock()

    @property
    def exists(self) -> bool:
        """Whether there is something to resume."""
        return _read_json(self.folder, _FINGERPRINT) is not None

    def begin(self, fingerprint: Mapping[str, str]) -> None:
        """Start a new ledger for work with these inputs."""
        if isinstance(self.folder, Path):
            (self.folder / _RECEIPTS).mkdir(parents=True, exist_ok=True)
        write_whole(self.folder, _FINGERPRINT, json.dumps(fingerprint, sort_keys=True).encode())

    def check(self, fingerprint: Mapping[str, str]) -> None:
        """Refuse to resume work that was begun with other inputs.

        Parameters
        ----------
        fingerprint : mapping of str to str
            What matters, by a name that a user understands (``model``, ``--tile``).

        Raises
        ------
        InputError
            If there is nothing to resume.
        FingerprintMismatch
            If any value differs; the line names those that do.
        """
        known = _read_json(self.folder, _FINGERPRINT)
        if known is None:
            raise InputError(f"nothing to resume in {self.folder}: run without --resume")
        names = sorted(known.keys() | fingerprint.keys())
        other = [name for name in names if known.get(name) != fingerprint.get(name)]
        if other:
            raise FingerprintMismatch(
                f"{self.folder} was begun with another {', '.join(other)}: "
                "repeat the first command with --resume, or start again with --overwrite"
            )

    def record(self, receipt: Receipt) -> None:
        """Keep a receipt; it is stored when this returns."""
        line = json.dumps(receipt.to_json(), sort_keys=True, separators=(",", ":"))
        if isinstance(self._own, Remote):
            name = "-".join(map(str, receipt.region.start))
            write_whole(self.folder, f"{_RECEIPTS}/{name}.json", line.encode())
            return
        with self._lock, self._own.open("ab") as file:
            # In front too: what was torn before ends here.
            file.write(f"\n{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())

    def receipts(self) -> Iterator[Receipt]:
        """All receipts, one after the other; a region that was made twice has two.

        What cannot be read does not count.
        """
        if isinstance(self.folder, Remote):
            yield from _receipts_behind(self.folder.objects)
            return
        for path in sorted((self.folder / _RECEIPTS).glob("*.json*")):
            with path.open("rb") as file:
                yield from filter(None, map(_parsed, file))

    def verified(self, store: Location) -> Iterator[Receipt]:
        """The receipts whose files the store still holds: byte for byte, or in that version."""
        known = dict(files_of(store)) if isinstance(store, Remote) else {}

        def is_intact(file: StoredFile) -> bool:
            if isinstance(store, Path):
                return file.is_intact(store)
            return known.get(file.path) == Entry(file.bytes, file.mark)

        return (one for one in self.receipts() if all(map(is_intact, one.files)))


def digest_of(values: object) -> str:
    """Sha256 of any JSON value, the same for equal values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def sweep(store: Location) -> None:
    """Remove the temporary files that a killed writer left; only while nobody writes.

    Behind a URL there are none: an object appears whole or not at all.
    """
    if isinstance(store, Remote):
        return
    for leftover in store.rglob("*.partial"):
        if leftover.is_file():
            leftover.unlink()


def _parsed(line: bytes) -> Receipt | None:
    try:
        return Receipt.from_json(json.loads(line))
    except (ValueError, TypeError, KeyError):
        return None


def _receipts_behind(objects: Objects) -> Iterator[Receipt]:
    """All receipts that are objects, several read at a time."""
    names = [name for name, _ in objects.entries(_RECEIPTS)]
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(names), _AT_ONCE):
            found = pool.map(objects.read, names[start : start + _AT_ONCE])
            yield from filter(None, (_parsed(line or b"") for line in found))


def _read_json(folder: Location, name: str) -> dict[str, Any] | None:
    try:
        tree = json.loads(read_whole(folder, name) or b"")
    except (OSError, ValueError):
        return None
    return tree if isinstance(tree, dict) else None
