"""Sample: a section of tissue, simulated once and kept in the user's cache."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

from stable_tiles import __version__
from stable_tiles.image.store import open_image
from stable_tiles.napari.layers import LayerData, layers_of
from stable_tiles.simulate.plan import Output, SimulateOptions, plan
from stable_tiles.simulate.tasks import load_task
from stable_tiles.simulate.write import write_store

_NAMES = {"a": "two-photon", "b": "H&E"}


def section() -> list[LayerData]:
    """One section as two-photon fluorescence and as bright field: what `he` learns to translate.

    Returns
    -------
    list of LayerData
        Two colour images of 1024 x 1024 pixels, the second one to compare with.
    """
    folder = user_cache_path("stable-tiles") / "samples" / __version__
    layers = []
    for output in plan(load_task("he"), SimulateOptions(size=1024, count=1)):
        if output.path.parts[0] != "test" or output.view not in _NAMES:
            continue
        path = folder / f"section-{output.view}.zarr"
        if not path.exists():
            _make(output, path)
        for data, arguments, kind in layers_of(open_image(path)):
            layers.append((data, {**arguments, "name": f"section, {_NAMES[output.view]}"}, kind))
    return layers


def _make(output: Output, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_store(output, path, lambda: None)
