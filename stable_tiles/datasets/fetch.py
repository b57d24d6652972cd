"""The verb ``data get``: a data set's files into a folder, by network or by hand, checked."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_tiles.datasets.catalogue import DataFile, DataSet
from stable_tiles.errors import MissingExtra, WorkFailed, first_line
from stable_tiles.progress import Progress, silent

_PIECE = 2**20


@dataclass(frozen=True)
class FetchedFile:
    """One file as it lies there.

    Parameters
    ----------
    name : str
    bytes : int
    sha256 : str
    verified : bool
        Whether it has the checksum that its publisher gives.
    """

    name: str
    bytes: int
    sha256: str
    verified: bool


@dataclass(frozen=True)
class FetchReport:
    """What there is of a data set.

    Parameters
    ----------
    name : str
    folder : str
    files : tuple of FetchedFile
    """

    name: str
    folder: str
    files: tuple[FetchedFile, ...]


def fetch(data: DataSet, folder: Path, progress: Progress = silent) -> FetchReport:
    """Get the files of a data set; those that are there already are checked and kept.

    A file appears under its name only when it is whole.

    Parameters
    ----------
    data : DataSet
    folder : Path
        Where its files go.
    progress : Progress
        Told the MiB of the file in hand.

    Raises
    ------
    MissingExtra
        If the package that downloads is not installed.
    WorkFailed
        If a file cannot be had or differs from its checksum: the line says how
        to place files by hand.
    """
    wanted = data.files
    known = {file.name: file for file in wanted}
    if wanted and all((folder / name).is_file() for name in known):
        return _report(data, folder, known)
    if not wanted and data.doi is None:
        if _present(folder):
            return _report(data, folder, known)
        raise WorkFailed(
            f"{data.name} has no address that a program can ask. {by_hand(data, folder)}"
        )
    pooch = _pooch()
    try:
        if not wanted:
            known = {file.name: file for file in _listed(pooch, data, folder)}
        for file in known.values():
            pooch.retrieve(
                file.url,
                file.checksum if not (folder / file.name).is_file() else None,
                fname=file.name,
                path=folder,
                downloader=_downloader(pooch, file.url, progress),
            )
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        if not wanted and _present(folder):
            return _report(data, folder, {})
        raise WorkFailed(
            f"cannot download {data.name}: {_reason(error)}. {by_hand(data, folder)}"
        ) from error
    return _report(data, folder, known)


def by_hand(data: DataSet, folder: Path) -> str:
    """How to do without a network."""
    names = ", ".join(file.name for file in data.files) or "its files"
    return f"By hand: download {names} from {data.page} into {folder}, and run this again"


def _reason(error: Exception) -> str:
    """What went wrong; requests' accounts of a missing network are long."""
    kind = type(error).__name__
    if "Connection" in kind or "Timeout" in kind:
        return "no connection to its server"
    return first_line(error)


class _Bar:
    """What pooch tells of a download, as progress."""

    def __init__(self, progress: Progress) -> None:
        self.total = 0
        self._progress = progress
        self._done = 0

    def update(self, count: int) -> None:
        self._done = min(self._done + count, self.total)
        self._progress("MiB", self._done // 2**20, max(1, self.total // 2**20))

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        """Nothing is held open."""


def _pooch() -> Any:
    try:
        import pooch
    except ImportError:
        raise MissingExtra(
            "data get needs a package that is not here: pip install 'stable-tiles[data]'"
        ) from None
    pooch.get_logger().setLevel(logging.CRITICAL)
    return pooch


def _listed(pooch: Any, data: DataSet, folder: Path) -> list[DataFile]:
    """The files that the archive with the DOI has now, with its checksums."""
    base = f"doi:{data.doi}"
    archive = pooch.create(path=folder, base_url=base)
    archive.load_registry_from_doi()
    return [DataFile(name, f"{base}/{name}", hash_) for name, hash_ in archive.registry.items()]


def _downloader(pooch: Any, url: str, progress: Progress) -> Any:
    kind = pooch.DOIDownloader if url.startswith("doi:") else pooch.HTTPDownloader
    return kind(progressbar=_Bar(progress))


def _present(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _report(data: DataSet, folder: Path, known: dict[str, DataFile]) -> FetchReport:
    paths = [folder / name for name in known] or _present(folder)
    return FetchReport(
        data.name,
        str(folder),
        tuple(_checked(data, folder, path, known.get(path.name)) for path in paths),
    )


def _checked(data: DataSet, folder: Path, path: Path, known: DataFile | None) -> FetchedFile:
    kind, _, expected = (known.checksum if known and known.checksum else "sha256:").partition(":")
    sums = {name: hashlib.new(name, usedforsecurity=False) for name in {kind, "sha256"}}
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            for one in sums.values():
                one.update(piece)
    if expected and sums[kind].hexdigest() != expected:
        raise WorkFailed(
            f"{path} is not the published file (its {kind} differs): remove it. "
            f"{by_hand(data, folder)}"
        )
    name = path.relative_to(folder).as_posix()
    return FetchedFile(name, path.stat().st_size, sums["sha256"].hexdigest(), bool(expected))
