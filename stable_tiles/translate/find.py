"""Find: which run a translation uses when none is named, and where its output goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stable_tiles.errors import InputError, RunNotFound

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


def find_target(source: str, target: str | Path | None) -> Path:
    """Where the output goes: as asked, else ``NAME.translated.zarr`` beside the source.

    Raises
    ------
    InputError
        If the output would be a URL, or lie on or inside the source.
    """
    if target is None:
        if "://" in source:
            raise InputError(f"{source} is a URL: name the output, such as OUT.zarr")
        plain = source.rstrip("/")
        target = f"{plain.removesuffix('.zarr')}.translated.zarr"
    if "://" in str(target):
        raise InputError(f"the output {target} is a URL: write to a local path and copy it there")
    path = Path(target)
    if "://" not in source:
        origin = Path(source).resolve()
        if origin == path.resolve() or origin in path.resolve().parents:
            raise InputError(f"the output {target} lies in the source: give another name")
    return path
