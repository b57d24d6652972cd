"""Find: which run is used when none is named, which images are meant, and where outputs go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stable_tiles.errors import InputError, RunNotFound, first_line

VARIABLE = "STABLE_TILES_MODEL"
"""Environment variable that names a run."""


def find_run(named: Path | None, environment: Mapping[str, str], folder: Path) -> Path:
    """The run to use: the one named, else of the environment, else the only one there is.

    Parameters
    ----------
    named : Path or None
        What the caller asked for.
    environment : mapping
        Environment variables.
    folder : Path
        Where ``runs`` is looked for.

    Raises
    ------
    RunNotFound
        If none is named and there is not exactly one; the line lists what was found.
    """
    if named is not None:
        return named
    if environment.get(VARIABLE):
        return Path(environment[VARIABLE])
    runs = sorted(path.parent for path in (folder / "runs").glob("*/model.json"))
    if len(runs) == 1:
        return runs[0]
    found = ", ".join(f"runs/{run.name}" for run in runs) or "no run under ./runs"
    raise RunNotFound(f"which model? Found {found}: give --model RUN or set {VARIABLE}")


def find_target(source: str, target: str | Path | None, made: str = "translated") -> Path:
    """Where the output goes: as asked, else ``NAME.translated.zarr`` beside the source.

    Parameters
    ----------
    source : str
        Path or URL of the source.
    target : str or Path, optional
        What was asked for.
    made : str
        What stands between the source's name and ``.zarr``.

    Raises
    ------
    InputError
        If the output would be a URL, or lie on or inside the source.
    """
    if target is None:
        if "://" in source:
            raise InputError(f"{source} is a URL: name the output, such as OUT.zarr")
        target = Path(source).parent / _default_name(source, made)
    if "://" in str(target):
        raise InputError(f"the output {target} is a URL: write to a local path and copy it there")
    path = Path(target)
    if "://" not in source:
        origin = Path(source).resolve()
        if origin == path.resolve() or origin in path.resolve().parents:
            raise InputError(f"the output {target} lies in the source: give another name")
    return path


def find_images(
    named: Sequence[str], listed: Path | None, folder: Path | None
) -> list[tuple[str, Path | None]]:
    """Sources and targets of a translation of several images.

    Parameters
    ----------
    named : sequence of str
        Sources.
    listed : Path, optional
        A file with more: a line each, the source or source, tabulator, target;
        empty lines and lines that begin with ``#`` do not count.
    folder : Path, optional
        Where the outputs go that no line names a place for; beside their
        sources by default.

    Raises
    ------
    InputError
        If there is no image, or the file cannot be read.
    """
    lines = list(named) + (_lines(listed) if listed else [])
    if not lines:
        raise InputError("no image to translate: name a store such as slide.zarr, or --list FILE")
    pairs: list[tuple[str, Path | None]] = []
    for line in lines:
        source, _, target = line.partition("\t")
        if target:
            pairs.append((source, Path(target)))
        else:
            pairs.append((source, folder / _default_name(source) if folder else None))
    return pairs


def _default_name(source: str, made: str = "translated") -> str:
    name = source.rstrip("/").rpartition("/")[2]
    return f"{name.removesuffix('.zarr')}.{made}.zarr"


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--list {file} cannot be read: {first_line(error)}") from None
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
