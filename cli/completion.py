"""``stable-tiles completion``."""

from __future__ import annotations

import click

SHELLS = ("bash", "fish", "zsh")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    Add to ~/.bashrc: eval "$(stable-tiles completion bash)"; to ~/.zshrc the
    same with zsh; in fish: stable-tiles completion fish >
    ~/.config/fish/completions/stable-tiles.fish
    """
    from click.shell_completion import get_completion_class

    from .main import main

    made = get_completion_class(shell)
    assert made is not None  # click knows all of SHELLS
    click.echo(made(main, {}, "stable-tiles", "_STABLE_TILES_COMPLETE").source())
