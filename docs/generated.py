"""What pages do not say themselves because the code, or another page, says it.

A page asks for it with a comment such as ``<!-- generated: settings -->``,
which a forge does not show.  The site's navigation is made from the lists of
links of ``index.md``, so that both have one source.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any

import yaml
from make_notebooks import TUTORIALS, write_notebook
from pydantic import BaseModel
from sphinx.application import Sphinx

import stable_tiles
from stable_tiles.settings import RIVALS, Settings, shipped_configs

ELSEWHERE = {
    "../README.md": "start.md",
    "../benchmarks/RESULTS.md": "measured.md",
    "../examples/README.md": "examples.md",
}
"""Files outside this folder that a page of the site shows; links to them become links to it."""


def contents(text: str) -> str:
    """The index with a hidden table of contents of each of its lists of links."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    trees = []
    for caption, body in zip(parts[1::2], parts[2::2], strict=True):
        pages = re.findall(r"^- \[(.+?)\]\((.+?)\.md\)", body, re.MULTILINE)
        lines = [f"{title} <{page}>" for title, page in pages]
        trees += ["```{toctree}", ":hidden:", f":caption: {caption}", "", *lines, "```", ""]
    return "\n".join([text, "", *trees])


def api() -> str:
    """Every public name with the options it takes and the report it gives."""
    lines: list[str] = []
    shown: set[type] = set()
    for name in stable_tiles.__all__:
        thing = getattr(stable_tiles, name)
        if name.startswith("_") or (isinstance(thing, type) and issubclass(thing, Exception)):
            continue
        lines += [f"## `{name}`", ""]
        if isinstance(thing, type):
            lines += _autodoc("class", f"stable_tiles.{name}")
            shown.add(thing)
            continue
        lines += _autodoc("function", f"stable_tiles.{name}")
        for hint in typing.get_type_hints(thing).values():
            for kind in _values(hint):
                if kind not in shown:
                    shown.add(kind)
                    lines += _autodoc("class", f"{kind.__module__}.{kind.__qualname__}")
    return "\n".join([*lines, "## Errors", "", *_errors()])


def _values(hint: Any) -> Iterator[type]:
    """Frozen values of this package inside a type hint, with those that they hold."""
    for part in typing.get_args(hint):
        yield from _values(part)
    if not (isinstance(hint, type) and hint.__module__.startswith("stable_tiles")):
        return
    yield hint
    if is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        for field in fields(hint):
            yield from _values(hints[field.name])


def _autodoc(kind: str, name: str) -> list[str]:
    """A fenced directive of Sphinx's autodoc."""
    members = ["   :members:"] if kind == "class" else []
    return ["```{eval-rst}", f".. auto{kind}:: {name}", *members, "```", ""]


def _errors() -> list[str]:
    directive = [".. automodule:: stable_tiles.errors", "   :members:", "   :show-inheritance:"]
    return ["```{eval-rst}", *directive, "```"]


def settings() -> str:
    """STABLE's and the denoiser's settings, and what the shipped configs say."""
    lines: list[str] = []
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if name not in RIVALS and isinstance(kind, type) and issubclass(kind, BaseModel):
            first = (kind.__doc__ or "").partition("\n\n")[0]
            lines += [f"## `{name}`", "", first, "", *_table(_HEAD, [*_rows(kind, name)])]
    return "\n".join([*lines, "## The shipped configs", "", *_shipped()])


SOURCE = re.compile(
    r"paper$|docs/|authors' |not published|PyTorch's default|not used|four cell|5,000 ep"
)
"""Part of a config's comment that tells where this config's value comes from."""

_HEAD = ["setting", "default", "meaning"]


def _rows(model: type[BaseModel], path: str) -> Iterator[list[str]]:
    for name, field in model.model_fields.items():
        kind, here = field.annotation, f"{path}.{name}"
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _rows(kind, here)
        else:
            meaning = _comments().get(here) or field.description or ""
            yield [f"`{here}`", f"`{_plain(field.get_default())}`", meaning]


def _comments() -> dict[str, str]:
    """What the shipped configs' comments say of every setting, but for the values' sources."""
    found: dict[str, str] = {}
    for text in shipped_configs().values():
        path: list[str] = []
        for line in text.splitlines():
            match = re.match(r"( *)(\w+):([^#]*)(?:# (.*))?$", line)
            if match:
                indent, key, _, comment = match.groups()
                path = [*path[: len(indent) // 2], key]
                meaning = "; ".join(p for p in (comment or "").split("; ") if not SOURCE.match(p))
                if meaning:
                    found.setdefault(".".join(path), meaning)
    return found


def _shipped() -> list[str]:
    """A table of the settings in which the shipped configs of STABLE differ."""
    trees = {name: _flat(yaml.safe_load(text)) for name, text in sorted(shipped_configs().items())}
    trees = {name: tree for name, tree in trees.items() if tree["method"] == "stable"}
    keys = dict.fromkeys(key for tree in trees.values() for key in tree)
    rows = [
        [f"`{key}`", *values]
        for key in keys
        if len(set(values := [_plain(tree.get(key)) for tree in trees.values()])) > 1
    ]
    return _table(["setting", *(f"`{name}`" for name in trees)], rows)


def _flat(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        here = f"{path}{key}"
        found |= _flat(value, f"{here}.") if isinstance(value, dict) else {here: value}
    return found


def _plain(value: Any) -> str:
    """A value as YAML writes it."""
    kept = list(value) if isinstance(value, tuple) else value
    if isinstance(kept, NoneType | bool):
        return {None: "null", True: "true", False: "false"}[kept]
    return f"{kept:g}" if isinstance(kept, float) else str(kept)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return [lines[0], "|---" * len(head) + "|", *lines[1:], ""]


PARTS: dict[str, Callable[[], str]] = {"api": api, "settings": settings}


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Complete a page before it is parsed."""
    text = source[0]
    if docname == "index":
        text = contents(text)
    if docname.startswith("tutorials/"):
        name = docname.partition("/")[2]
        text += (
            f"\n\nThis page as a notebook: <a href='../notebooks/{name}.ipynb'>{name}.ipynb</a>\n"
        )
    for file, page in ELSEWHERE.items():
        text = text.replace(f"{file})", f"{page})").replace(f"{file}#", f"{page}#")
    source[0] = re.sub(r"<!-- generated: (\w+) -->", lambda found: PARTS[found[1]](), text)


def _notebooks(app: Sphinx, failure: Exception | None) -> None:
    """Write the tutorials as notebooks beside the site."""
    folder = Path(app.outdir) / "notebooks"
    for tutorial in TUTORIALS:
        write_notebook(tutorial, folder)


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx what is done when."""
    app.connect("source-read", _read)
    app.connect("build-finished", _notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
