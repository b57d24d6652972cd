"""``stable-tiles data``: the paper's public data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.datasets.catalogue import DataSet
    from stable_tiles.datasets.fetch import FetchReport


@click.group()
def data() -> None:
    """List and get the public data sets of the paper."""


@data.command("list")
@common_options
def list_(*, console: Console) -> None:
    """Name, origin, licence and size of every data set."""
    with console.session():
        from dataclasses import asdict

        from stable_tiles.datasets.catalogue import DATASETS

        console.emit([asdict(entry) for entry in DATASETS], "\n\n".join(map(_entry, DATASETS)))


@data.command()
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    help="The files go to OUT/NAME.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be downloaded; write nothing.")
@common_options
def get(
    name: str,
    *,
    out: Path,
    dry_run: bool,
    console: Console,
) -> None:
    """Download data set NAME, or check the files that you placed in OUT/NAME by hand."""
    with console.session() as progress:
        from stable_tiles.datasets.catalogue import dataset
        from stable_tiles.datasets.fetch import fetch

        wanted = dataset(name)
        if dry_run:
            console.emit(wanted, f"{_entry(wanted)}\n  would go to {out / name}")
        else:
            report = fetch(wanted, out / name, progress)
            console.emit(report, _fetched(report))


def _entry(entry: DataSet) -> str:
    files = ", ".join(file.name for file in entry.files)
    lines = [
        f"{entry.name}: {entry.title}",
        f"  {entry.contents}",
        f"  {entry.page}" + (f" (doi {entry.doi})" if entry.doi else ""),
        f"  licence: {entry.licence}; size: {entry.size}" + (f"; {files}" if files else ""),
    ]
    return "\n".join(lines)


def _fetched(report: FetchReport) -> str:
    rows = [
        f"{file.name}: {file.bytes / 2**20:.1f} MiB, "
        + ("as published" if file.verified else "no published checksum")
        for file in report.files
    ]
    return "\n".join((*rows, f"in {report.folder}"))
