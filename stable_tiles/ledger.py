"""Ledger: what is done of an unfinished output, so that interrupted work resumes exactly.

A receipt is written after a region's data and names its files with their
digests; missing chunks prove nothing in Zarr, receipts do.  The ledger is
keyed to a fingerprint of all inputs, and whoever resumes with others is told
which differ.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from stable_tiles.checksum import file_checksum
from stable_tiles.errors import FingerprintMismatch, InputError, OutputExists
from stable_tiles.region import Region

_FINGERPRINT = "fingerprint.json"
_HOLD = "held"
_RECEIPTS = "receipts"


@dataclass(frozen=True)
class StoredFile:
    """A file of the store: its path relative to it, its size and its crc32c."""

    path: str
    bytes: int
    crc32c: str

    @classmethod
    def of(cls, store: Path, path: str) -> StoredFile:
        """The file as it lies on disk now."""
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
        cls, region: Region, store: Path, paths: Iterable[str], values: Mapping[str, Any]
    ) -> Receipt:
        """The receipt for files that are on disk now."""
        return cls(region, tuple(StoredFile.of(store, path) for path in paths), dict(values))

    def to_json(self) -> dict[str, Any]:
        """The receipt as JSON values."""
        return {
            "start": list(self.region.start),
            "stop": list(self.region.stop),
            "files": [[file.path, file.bytes, file.crc32c] for file in self.files],
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
    receipts are as many files as there were writers.

    Parameters
    ----------
    folder : Path
        The folder of the unfinished output (``NAME.partial``).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = folder / _RECEIPTS / f"{uuid4().hex}.jsonl"
        self._lock = Lock()

    @property
    def exists(self) -> bool:
        """Whether there is something to resume."""
        return (self.folder / _FINGERPRINT).is_file()

    def begin(self, fingerprint: Mapping[str, str]) -> None:
        """Start a new ledger for work with these inputs."""
        (self.folder / _RECEIPTS).mkdir(parents=True, exist_ok=True)
        _write_json(self.folder / _FINGERPRINT, dict(fingerprint))

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
        known = _read_json(self.folder / _FINGERPRINT)
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
        """Keep a receipt; it is on disk when this returns."""
        line = json.dumps(receipt.to_json(), sort_keys=True, separators=(",", ":"))
        with self._lock, self._own.open("ab") as file:
            # In front too: what was torn before ends here.
            file.write(f"\n{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())

    def receipts(self) -> Iterator[Receipt]:
        """All receipts, one after the other; a region that was made twice has two.

        What cannot be read does not count.
        """
        for path in sorted((self.folder / _RECEIPTS).glob("*.json*")):
            with path.open("rb") as file:
                yield from filter(None, map(_parsed, file))

    def verified(self, store: Path) -> Iterator[Receipt]:
        """The receipts whose files the store still holds, byte for byte."""
        for receipt in self.receipts():
            if all(file.is_intact(store) for file in receipt.files):
                yield receipt


class Hold:
    """The right to write an unfinished output, which ends with the process that has it.

    Parameters
    ----------
    folder : Path
        The folder of the unfinished output.
    shared : bool
        Whether others who share may write too.
    """

    def __init__(self, folder: Path, *, shared: bool = False) -> None:
        self._path, self._shared = folder / _HOLD, shared
        self._handle: int | None = None

    def take(self) -> None:
        """Take the right; again, after the folder was made anew.

        Raises
        ------
        OutputExists
            If another process writes; the line names it.
        """
        self.release()
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if self._shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(handle, 256).decode(errors="replace").strip()
            os.close(handle)
            raise OutputExists(
                f"{self._path.parent} is being written by {who or 'another process'}: "
                "wait for it, or stop it and use --resume"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
        self._handle = handle

    def release(self) -> None:
        """Give the right up."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def digest_of(values: object) -> str:
    """Sha256 of any JSON value, the same for equal values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def sweep(store: Path) -> None:
    """Remove the temporary files that a killed writer left; only while nobody writes."""
    for leftover in store.rglob("*.partial"):
        if leftover.is_file():
            leftover.unlink()


def _parsed(line: bytes) -> Receipt | None:
    try:
        return Receipt.from_json(json.loads(line))
    except (ValueError, TypeError, KeyError):
        return None


def _write_json(path: Path, tree: Mapping[str, Any]) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(tree, file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return tree if isinstance(tree, dict) else None
