"""`export_view`: the page as static files for any web server, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stable_tiles.errors import InputError, Interrupted, OutputExists
from stable_tiles.image.writer import partial_folder
from stable_tiles.progress import Progress, silent
from stable_tiles.view.site import INDEX, MANIFEST, page_folder
from stable_tiles.view.sources import Source, manifest, served_url, sources


@dataclass(frozen=True)
class ExportedView:
    """What an export wrote, or would write.

    Parameters
    ----------
    output : str
        The folder.
    stores : dict of str to str
        For each store its address, relative to the page.
    copied : bool
        Whether the stores were copied into the folder.
    files, bytes : int
        How many files the folder holds, and their size.
    dry_run : bool
        Whether nothing was written.
    """

    output: str
    stores: dict[str, str]
    copied: bool
    files: int
    bytes: int
    dry_run: bool


@dataclass(frozen=True)
class ViewExportOptions:
    """How to export.

    Parameters
    ----------
    copy : bool
        Copy the stores into the folder; else the page links to them where they
        lie beside it.
    overwrite, dry_run : bool
        Whether an exported page of that name is replaced; whether only to plan.
    """

    copy: bool = False
    overwrite: bool = False
    dry_run: bool = False


def export_view(
    stores: Sequence[str | Path],
    target: str | Path,
    options: ViewExportOptions | None = None,
    progress: Progress = silent,
) -> ExportedView:
    """Write the page of `view` as static files that need only a web server.

    All addresses are relative: serve the folder, or where the stores are not
    copied the folder that holds it and them.  The folder appears under its
    name when it is whole.

    Parameters
    ----------
    stores : sequence of path
        Local OME-Zarr stores.
    target : path
        The folder to be written.
    options : ViewExportOptions, optional
        The defaults if not given.
    progress : Progress
        Called with ``"files"`` while stores are copied.

    Returns
    -------
    ExportedView

    Raises
    ------
    InputError
        If a store cannot be shown, does not lie beside the folder and is not
        to be copied, or the folder exists and is not an exported page.
    """
    options, target = options or ViewExportOptions(), Path(target)
    shown = sources(stores)
    _refuse(target, shown, options)
    urls = [served_url(s) if options.copy else _beside(s, target) for s in shown]
    files = _files(shown if options.copy else ())
    needed = sum(path.stat().st_size for path in files.values())
    if not options.dry_run:
        _write(target, files, manifest(shown, urls), progress)
    return ExportedView(
        output=str(target),
        stores={source.name: url for source, url in zip(shown, urls, strict=True)},
        copied=options.copy,
        files=len(files) + 1,
        bytes=needed,
        dry_run=options.dry_run,
    )


def _refuse(target: Path, shown: Sequence[Source], options: ViewExportOptions) -> None:
    if "://" in str(target):
        raise InputError(f"{target} is a URL: export to a local folder, then copy it")
    where = target.resolve()
    if any(where == source.folder or source.folder in where.parents for source in shown):
        raise InputError(f"{target} lies inside a store: give another --export")
    if not target.exists() or options.dry_run:
        return
    if not options.overwrite:
        raise OutputExists(f"{target} exists: give another --export, or --overwrite")
    if any(where in source.folder.parents for source in shown) or not (
        (target / INDEX).is_file() and (target / MANIFEST).is_file()
    ):
        raise InputError(f"{target} is no exported page: give another --export")


def _beside(source: Source, target: Path) -> str:
    """A store's address relative to the page, where both lie in one folder."""
    parent = target.resolve().parent
    if not source.folder.is_relative_to(parent):
        raise InputError(
            f"{source.name} does not lie beside {target}: export into the stores' folder, "
            "or add --copy"
        )
    return "../" + quote(source.folder.relative_to(parent).as_posix())


def _files(copied: Sequence[Source]) -> dict[str, Path]:
    """What the folder will hold besides the manifest: the page, and the stores to copy."""
    page = page_folder()
    files = {path.relative_to(page).as_posix(): path for path in _inside(page)}
    for source in copied:
        for path in _inside(source.folder):
            files[f"stores/{source.name}/{path.relative_to(source.folder).as_posix()}"] = path
    return files


def _inside(folder: Path) -> list[Path]:
    """The files of a folder; one that a symlink brings in from elsewhere is none of them."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in found if path.resolve().is_relative_to(folder)]


def _write(target: Path, files: dict[str, Path], document: str, progress: Progress) -> None:
    """Write beside the target, then give it its name."""
    partial = partial_folder(target)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for done, (name, path) in enumerate(files.items()):
            progress("files", done, len(files))
            copy = partial / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        (partial / MANIFEST).write_text(document, encoding="utf-8")
        progress("files", len(files), len(files))
        _name(partial, target)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {target} was not written") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _name(partial: Path, target: Path) -> None:
    """Give the finished folder its name; what had it before comes back if that fails."""
    replaced = partial.with_name(target.name + ".replaced")
    if target.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        os.rename(target, replaced)
    try:
        os.rename(partial, target)
    except OSError:
        if replaced.exists():
            os.rename(replaced, target)
        raise
    shutil.rmtree(replaced, ignore_errors=True)
