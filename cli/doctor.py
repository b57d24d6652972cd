"""``stable-tiles doctor``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.doctor import Diagnosis


@click.command()
@common_options
def doctor(console: Console) -> None:
    """Say what this machine and installation have and what is missing, on one screen.

    Ends with 1 if something hinders work.
    """
    with console.session():
        from stable_tiles.doctor import diagnose

        found = diagnose(Path.cwd())
        console.emit(found, _text(found))
    if found.problems:
        sys.exit(1)


def _text(found: Diagnosis) -> str:
    gigabyte = 2**30
    lines = [
        f"stable-tiles {found.version}, Python {found.python}, {found.system}",
        f"{found.cores} cores, {found.free_memory_bytes / gigabyte:.1f} of "
        f"{found.memory_bytes / gigabyte:.1f} GiB memory free, "
        f"{found.free_disk_bytes / gigabyte:.0f} GiB free on this disk",
    ]
    lines += [
        f"GPU {k}: {gpu.name}, {gpu.free_bytes / gigabyte:.1f} of "
        f"{gpu.memory_bytes / gigabyte:.1f} GiB free (CUDA {found.cuda})"
        for k, gpu in enumerate(found.gpus)
    ] or ["no GPU that PyTorch can use: work runs on the CPU"]
    needed = [package for package in found.packages if package.extra is None]
    lines.append("  ".join(f"{one.name} {one.version or '-'}" for one in needed))
    extras = dict.fromkeys(one.extra for one in found.packages if one.extra)
    for extra in extras:
        mine = [one for one in found.packages if one.extra == extra]
        absent = [one for one in mine if one.install]
        state = "installed" if not absent else f"missing: {absent[0].install}"
        lines.append(f"extra {extra} ({', '.join(one.name for one in mine)}): {state}")
    lines += [f"PROBLEM: {problem}" for problem in found.problems] or ["nothing hinders work"]
    return "\n".join(lines)
