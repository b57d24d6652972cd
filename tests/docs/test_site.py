"""The site is built without warnings, asks nobody for anything, and leaves nothing out."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from stable_tiles_cli.main import COMMANDS

import stable_tiles
from stable_tiles.settings import shipped_configs
from tests.docs.commands import ROOT

if importlib.util.find_spec("sphinx") is None:
    pytest.skip("no Sphinx: pip install 'stable-tiles[docs]'", allow_module_level=True)

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
"""Attributes that a browser follows by itself."""


class Page(HTMLParser):
    """What a page loads, where it leads, and where it can be entered."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep addresses and names."""
        found = {name: value for name, value in attrs if value}
        if "id" in found:
            self.anchors.add(found["id"])
        if tag in LOADED and LOADED[tag] in found:
            self.loads.append(found[LOADED[tag]])
        if tag == "a" and "href" in found:
            self.leads.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*build, "-d", str(folder / "doctrees"), str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {
        path: Page(path) for path in sorted(site.rglob("*.html")) if "_downloads" not in str(path)
    }


def test_a_page_loads_nothing_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert len(pages) > 25
    for path, page in pages.items():
        for address in page.loads:
            assert not urlsplit(address).netloc, f"{path} loads {address}"
            assert address.startswith("data:") or address == "#" or _target(path, address).exists()
    for sheet in site.rglob("*.css"):
        for address in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]+)", sheet.read_text()):
            assert address.startswith("data:") or not urlsplit(address).netloc, (
                f"{sheet}: {address}"
            )


def test_every_link_inside_leads_somewhere(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for address in page.leads:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = _target(path, address) if parts.path else path
            assert target.exists(), f"{path} leads to {address}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path}: {address}"


def test_the_reference_has_every_public_name_command_and_config(
    site: Path, pages: dict[Path, Page]
) -> None:
    python = pages[site / "reference/api.html"].anchors
    for name in stable_tiles.__all__:
        home = "stable_tiles.errors." if name.endswith("Error") else "stable_tiles."
        assert name.startswith("_") or f"{home}{name}" in python, name
    commands = pages[site / "reference/commands.html"].anchors
    assert {f"stable-tiles-{name}" for name in COMMANDS} <= commands
    settings = (site / "reference/settings.html").read_text()
    assert all(f">{name}<" in settings for name in set(shipped_configs()) - {"support"})


def test_every_setting_of_the_reference_has_a_meaning(site: Path) -> None:
    text = (site / "reference/settings.html").read_text()
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text.partition("the-shipped-configs")[0], re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    settings = [row for row in cells if row]
    assert len(settings) > 50
    for row in settings:
        assert re.sub(r"<[^>]+>", "", row[2]).strip(), row[0]


def test_every_tutorial_is_there_as_a_notebook(site: Path) -> None:
    for tutorial in sorted((ROOT / "docs/tutorials").glob("*.md")):
        assert (site / "notebooks" / f"{tutorial.stem}.ipynb").is_file()


def _target(page: Path, address: str) -> Path:
    """The file that a relative address means."""
    return (page.parent / unquote(urlsplit(address).path)).resolve()
