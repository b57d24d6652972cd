"""Find: which run is used when none is named, which images are meant, and where outputs go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stable_tiles.errors import InputError, RunNotFound, first_line
from stable_tiles.remote.location import Location, Remote, locate

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


def find_target(
    source: str | Location, target: str | Location | None, made: str = "translated"
) -> Location:
    """Where the output goes: as asked, else ``NAME.translated.zarr`` beside the source.

    Parameters
    ----------
    source : str, Path or Remote
        Path or URL of the source.
    target : str, Path or Remote, optional
        What was asked for.
    made : str
        What stands between the source's name and ``.zarr``.

    Raises
    ------
    InputError
        If the output cannot be written there, or would lie on or inside the source.
    """
    origin = locate(source)
    if target is None:
        if isinstance(origin, Remote):
            raise InputError(f"{origin} is a URL: name the output, such as OUT.zarr")
        target = origin.parent / _default_name(str(origin), made)
    path = locate(target)
    if isinstance(path, Remote):
        path.refuse_reading_only()
    if path.is_below(origin) if isinstance(path, Remote) else _is_below(path, origin):
        raise InputError(f"the output {path} lies in the source: give another name")
    return path


def _is_below(path: Path, origin: Location) -> bool:
    here = path.resolve()
    return isinstance(origin, Path) and origin.resolve() in (here, *here.parents)


def find_images(
    named: Sequence[str], listed: Path | None, folder: str | Path | None
) -> list[tuple[str, Location | None]]:
    """Sources and targets of a translation of several images.

    Parameters
    ----------
    named : sequence of str
        Sources.
    listed : Path, optional
        A file with more: a line each, the source or source, tabulator, target;
        empty lines and lines that begin with ``#`` do not count.
    folder : str or Path, optional
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
    pairs: list[tuple[str, Location | None]] = []
    for line in lines:
        source, _, target = line.partition("\t")
        if target:
            pairs.append((source, locate(target)))
        else:
            where = locate(folder) / _default_name(source) if folder else None
            pairs.append((source, where))
    return pairs


def _default_name(source: str, made: str = "translated") -> str:
    name = locate(source).name
    return f"{name.removesuffix('.zarr')}.{made}.zarr"


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--list {file} cannot be read: {first_line(error)}") from None
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
