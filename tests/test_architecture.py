"""The shape of the house: imports point one way, every package is listed, modules stay short."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stable_tiles"
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    {
        "errors",
        "region",
        "axes",
        "progress",
        "sections",
        "rivals",
        "support",
        "settings",
        "intensity",
        "provenance",
        "remote",
        "document",
        "domain",
        "usage",
        "checksum",
    },
    {"image", "tiling", "networks", "ledger", "hold"},
    {"methods", "model", "model_document", "model_info", "official", "card"},
    {
        "convert",
        "exchange",
        "export",
        "train",
        "translate",
        "evaluate",
        "simulate",
        "datasets",
        "check",
        "doctor",
        "info",
        "view",
    },
    {"demo", "benchmark", "napari"},
)

FORBIDDEN = {
    "tiling": {"torch", "zarr", "dask", "distributed"},
    "networks": {"zarr", "dask", "distributed", "pathlib"},
    "errors": {"torch", "zarr", "dask"},
    "region": {"torch", "zarr", "dask"},
    "axes": {"torch", "zarr", "dask"},
    "sections": {"torch", "zarr", "dask"},
    "rivals": {"torch", "zarr", "dask"},
    "support": {"torch", "zarr", "dask"},
    "settings": {"torch", "zarr", "dask"},
    "intensity": {"torch", "zarr", "dask"},
}


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield node.module or ""


def part(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    found = [i for i, names in enumerate(LAYERS) if name in names]
    assert found, f"{name} has no layer: add it to LAYERS"
    return found[0]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_imports_point_one_way(module: Path) -> None:
    name = part(module)
    for imported in imports(module):
        top, _, rest = imported.partition(".")
        assert top not in {"click", "rich", "stable_tiles_cli"}, f"{module} imports {imported}"
        assert top not in FORBIDDEN.get(name, set()), f"{name} imports {imported}"
        if top in {"dask", "distributed"}:
            assert name in {"translate", "image"}, f"{name} imports {imported}"
        if top == "stable_tiles" and name != "__init__" and rest:
            target = rest.partition(".")[0]
            assert layer(target) <= layer(name), f"{name} imports {target}, which stands above it"


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_modules_stay_short_and_the_library_never_prints(module: Path) -> None:
    text = module.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 400, "split this module"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{node.name} is too long"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print"


def test_every_package_folder_is_listed_for_the_wheel() -> None:
    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    folders = {"stable_tiles_cli", "stable_tiles_configs"}
    for init in PACKAGE.rglob("__init__.py"):
        folders.add(".".join(init.parent.relative_to(ROOT).parts))
    assert listed == folders


def test_importing_the_package_does_not_import_torch_zarr_or_dask() -> None:
    heavy = {"torch", "zarr", "dask", "click"}
    probe = f"import sys, stable_tiles; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_resolves() -> None:
    import stable_tiles

    for name in stable_tiles.__all__:
        assert getattr(stable_tiles, name) is not None
