"""Commands that pages show are commands that there are, and links lead to files of the project."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from stable_tiles_cli.main import main

from tests.docs.commands import ROOT, commands

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "examples/README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_parses(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        name, command, rest = main.resolve_command(click.Context(main), words)
        while isinstance(command, click.Group):
            name, command, rest = command.resolve_command(click.Context(command), rest)
        assert command is not None, words
        command.make_context(name, rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    """As a forge follows it, which shows pages as they are."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?![a-z]+:)([^)#\s]+)", text):
        assert (page.parent / target).exists(), target
