"""The group of all commands."""

from __future__ import annotations

import click

from stable_tiles import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stable-tiles")
def main() -> None:
    """Translate bioimages too large for memory, without seams."""
