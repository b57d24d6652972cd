"""``stable-tiles init``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .output import Console, common_options


@click.command()
@click.argument("task", required=False)
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE.yaml]")
@click.option("--schema", is_flag=True, help="Print the JSON schema of settings instead.")
@click.option("--overwrite", is_flag=True, help="Replace a file of that name.")
@common_options
def init(
    task: str | None,
    file: Path | None,
    *,
    schema: bool,
    overwrite: bool,
    console: Console,
) -> None:
    """Write the commented settings of TASK to FILE (TASK.yaml), to edit and to train with.

    Without TASK it lists the tasks. Editors check a config against --schema.
    """
    with console.session():
        from stable_tiles.settings import Settings, shipped_configs, write_config

        if schema:
            click.echo(json.dumps(Settings.model_json_schema(), indent=2))
        elif task is None:
            names = sorted(shipped_configs())
            console.emit({"tasks": names}, "\n".join(names))
        else:
            path = write_config(task, file or Path(f"{task}.yaml"), overwrite=overwrite)
            console.emit({"output": str(path)}, f"wrote {path}: edit it, then train {path} ...")
