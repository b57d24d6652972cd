"""The group of all commands; each is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

from stable_tiles import __version__

COMMANDS = {
    "benchmark": "Compare methods on one data set, as the paper does.",
    "check": "Say how a model tiles: reach, halo, seams.",
    "completion": "Print what makes a shell complete commands and options.",
    "convert": "Convert images to OME-Zarr.",
    "data": "List and get the paper's public data sets.",
    "demo": "Simulate, convert, train, translate, look: minutes on two cores.",
    "denoise": "Denoise a movie with a trained denoiser.",
    "doctor": "Say what this machine and installation have, and what is missing.",
    "evaluate": "Measure translations: image metrics, cells, traces; compare methods.",
    "export": "Write a store as OME-TIFF or NIfTI.",
    "init": "Write a commented config to edit.",
    "info": "Describe a store; with --verify read every chunk.",
    "model": "Import the authors' checkpoints; describe a model.",
    "simulate": "Write simulated data with known truth.",
    "train": "Train a model on two domains, or a denoiser on one.",
    "translate": "Translate a store with a trained model.",
    "view": "Look at stores in a browser: swipe, channels, t and z.",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and loads each on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f".{cmd_name}", __package__)
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stable-tiles")
def main() -> None:
    """Translate bioimages too large for memory, without seams.

    Convert images to OME-Zarr, train an unpaired translator on patches
    streamed from them, and translate whole slides, movies and volumes.
    """
