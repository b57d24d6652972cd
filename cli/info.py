"""``stable-tiles info``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.info import Info


@click.command()
@click.argument("store")
@click.option("--verify", is_flag=True, help="Read every chunk; name the broken and missing ones.")
@common_options
def info(store: str, verify: bool, console: Console) -> None:
    """Describe STORE: axes, shape, chunks, scale, channels, percentiles, what made it.

    For an unfinished translation or conversion it says how far it is.
    """
    with console.session() as progress:
        from stable_tiles.info import Info
        from stable_tiles.info import info as describe

        found = describe(store, read_all=verify, progress=progress)
        console.emit(found, _text(found) if isinstance(found, Info) else _unfinished(found))
    if isinstance(found, Info) and found.faults:
        sys.exit(1)


def _text(found: Info) -> str:
    scale = ", ".join(f"{k} {v:g} {found.unit[k] or '(no unit)'}" for k, v in found.scale.items())
    rows = {
        "store": f"{found.path} (OME-Zarr {found.ngff}{f', {found.kind}' if found.kind else ''})",
        "axes": f"{found.axes} {found.shape} {found.dtype}",
        "levels": str(found.levels),
        "chunks": f"{found.chunks}, " + (f"shards {found.shards}" if found.shards else "no shards"),
        "scale": scale,
        "channels": ", ".join(f"{c['name']} #{c['color']}" for c in found.channels),
    }
    for number, percentiles in enumerate(found.percentiles or ()):
        shown = ", ".join(f"{q} %: {percentiles[q]:g}" for q in ("0", "1", "50", "99", "100"))
        rows[f"percentiles of channel {number}"] = shown
    if found.provenance:
        rows["made by"] = _flat(found.provenance)
    if found.faults is not None:
        rows["verified"] = (
            "every chunk reads" if not found.faults else f"{len(found.faults)} faults"
        )
    lines = [f"{name}: {value}" for name, value in rows.items()]
    lines += [
        f"{fault.kind}: level {fault.level}, chunk at {fault.start}: {fault.reason}"
        for fault in found.faults or ()
    ]
    return "\n".join(lines)


def _flat(provenance: dict[str, Any]) -> str:
    return "; ".join(f"{k} {v}" for k, v in provenance.items() if not isinstance(v, dict | list))


def _unfinished(found: dict[str, Any]) -> str:
    progress = found["progress"]
    return (
        f"{found['path']} is unfinished: {progress['done']} of {progress.get('regions', '?')} "
        "regions done. Run the same command again with --resume."
    )
