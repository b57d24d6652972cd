"""``stable-tiles view``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.view import ExportedView


@click.command()
@click.argument("stores", nargs=-1, required=True, metavar="STORE [STORE]...")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port on 127.0.0.1; 0 takes a free one  [default: 8700, or a free one if it is taken]",
)
@click.option(
    "--viewer",
    "program",
    type=click.Choice(["page", "neuroglancer"]),
    default="page",
    show_default=True,
    help="page: swipe, channels, confidence; neuroglancer: volumes along three planes, and time.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the page as static files for any web server instead of serving it.",
)
@click.option("--copy", is_flag=True, help="With --export: copy the stores into DIR.")
@click.option("--overwrite", is_flag=True, help="With --export: replace an exported page.")
@click.option("--dry-run", is_flag=True, help="With --export: say what would be written.")
@common_options
def view(
    *,
    stores: tuple[str, ...],
    port: int | None,
    program: str,
    no_browser: bool,
    folder: Path | None,
    copy: bool,
    overwrite: bool,
    dry_run: bool,
    console: Console,
) -> None:
    """Look at stores in a browser: swipe, side by side, channels, t and z.

    Give an input and its translation, or any other stores of one field of
    view. Only this machine can reach the page, and only these stores are
    served, until Ctrl-C.
    """
    if folder is None and (copy or overwrite or dry_run):
        raise click.UsageError("--copy, --overwrite and --dry-run go with --export DIR")
    if folder is not None and (port is not None or no_browser or program != "page"):
        raise click.UsageError("--export serves nothing: leave out --port, --viewer, --no-browser")
    with console.session() as progress:
        if folder is None:
            _serve(stores, port, program, browser=not no_browser, console=console)
            return
        from stable_tiles.view import ViewExportOptions, export_view

        options = ViewExportOptions(copy, overwrite, dry_run)
        report = export_view(stores, folder, options, progress)
        console.emit(report, _text(report))


def _serve(
    stores: tuple[str, ...], port: int | None, program: str, *, browser: bool, console: Console
) -> None:
    """Serve until interrupted, which is how a look ends and no failure."""
    from stable_tiles.view import view as page
    from stable_tiles.view import view_volumes

    serve = page if program == "page" else view_volumes
    try:
        with serve(stores, port) as viewer:
            found = {"url": viewer.url, "stores": [source.name for source in viewer.stores]}
            console.emit(found, f"{viewer.url}  (Ctrl-C ends)")
            if browser:
                click.launch(viewer.url)
            viewer.wait()
    except KeyboardInterrupt:
        return


def _text(report: ExportedView) -> str:
    size = f"{report.files} files, {report.bytes / 2**20:.1f} MiB"
    if report.dry_run:
        return f"would write {report.output}: {size}"
    served = report.output if report.copied else "the folder that holds it and the stores"
    return f"wrote {report.output}: {size}. Serve {served} with any web server"
