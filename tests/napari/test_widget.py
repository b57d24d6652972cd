"""The plugin in napari without a window: the layer is what the command writes."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from stable_tiles_cli.main import main

from stable_tiles.image.ngff import RGB_COLORS
from stable_tiles.image.store import open_image
from stable_tiles.napari.layers import STORE, reader
from tests.translate.scenes import domain, everything, noise, save_image, save_model

PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    colour = domain(3, colors=RGB_COLORS)
    return save_model(folder / "run", domains={"a": domain(1, "uint16"), "b": colour})


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "movie.zarr"
    pixels = noise(2, 1, 1, 150, 170, dtype="uint16")
    save_image(path, pixels, "tyx", t=2.0, y=0.5, x=0.5)
    return path


@pytest.fixture
def widget(viewer: Any, run: Path) -> Any:
    from stable_tiles.napari.widget import TranslateWidget

    made = TranslateWidget(viewer)
    made.run.value = run
    return made


def opened(viewer: Any, path: Path) -> Any:
    """The store's layer, opened as napari would."""
    read = reader(str(path))
    assert read is not None
    for data, arguments, _ in read(str(path)):
        viewer.add_image(data, **arguments)
    return viewer.layers[-1]


def finished(widget: Any, napari: Any) -> str:
    """What the widget says once its work has ended; the window stays alive meanwhile."""
    deadline = time.monotonic() + PATIENCE_S
    while widget.busy:
        assert time.monotonic() < deadline
        napari.application.processEvents()
        time.sleep(0.01)
    return str(widget.status.value)


def commanded(movie: Path, run: Path, target: Path, *more: str) -> npt.NDArray[Any]:
    """The pixels (t, c, z, y, x) that the command writes."""
    arguments = ["translate", str(movie), str(target), "--model", str(run), *more]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.stderr
    return everything(target)


def colours(layer: Any) -> npt.NDArray[Any]:
    """The pixels of a colour layer (t, y, x, c), as (t, c, z, y, x)."""
    data = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    return np.moveaxis(data, -1, 1)[:, :, None]


def test_the_layer_is_what_the_command_writes(
    widget: Any, viewer: Any, napari: Any, movie: Path, run: Path, tmp_path: Path
) -> None:
    opened(viewer, movie)
    widget.output.value = tmp_path / "made.zarr"
    widget.translate()
    assert finished(widget, napari) == "done"
    layer = viewer.layers[-1]
    assert np.array_equal(colours(layer), commanded(movie, run, tmp_path / "told.zarr"))
    assert layer.metadata[STORE] == str(tmp_path / "made.zarr")
    assert tuple(layer.scale) == (2.0, 0.5, 0.5)
    assert (layer.rgb, layer.name, widget.bar.value) == (True, "made", widget.bar.max)


def test_pixels_in_memory_give_the_same(
    widget: Any, viewer: Any, napari: Any, movie: Path, run: Path, tmp_path: Path
) -> None:
    pixels = everything(movie)[:, 0, 0]
    viewer.add_image(pixels, name="in memory", axis_labels=("t", "y", "x"))
    widget.translate()
    assert "name the output" in finished(widget, napari)
    widget.output.value = tmp_path / "made.zarr"
    widget.translate()
    assert finished(widget, napari) == "done"
    told = commanded(movie, run, tmp_path / "told.zarr")
    assert np.array_equal(colours(viewer.layers[-1]), told)


def test_a_preview_is_that_part_of_the_whole_and_lies_on_it(
    widget: Any, viewer: Any, napari: Any, movie: Path, run: Path, tmp_path: Path
) -> None:
    opened(viewer, movie)
    viewer.dims.set_point(0, 2.0)
    viewer.scene.camera.center = (40.0, 30.0)
    widget.side.value = 48
    before = sorted(movie.parent.iterdir())
    widget.preview()
    assert finished(widget, napari) == "done"
    layer = viewer.layers[-1]
    whole = commanded(movie, run, tmp_path / "told.zarr")
    assert np.array_equal(colours(layer), whole[1:, :, :, 56:104, 36:84])
    assert tuple(layer.translate) == (2.0, 28.0, 18.0)
    assert STORE not in layer.metadata
    assert sorted(movie.parent.iterdir()) == before


def test_confidence_comes_as_layers_of_its_own(
    widget: Any, viewer: Any, napari: Any, movie: Path, tmp_path: Path
) -> None:
    opened(viewer, movie)
    widget.output.value = tmp_path / "made.zarr"
    widget.confidence.value = True
    widget.translate()
    assert finished(widget, napari) == "done"
    names = [layer.name for layer in viewer.layers]
    assert names == ["movie", "made", "confidence cycle", "confidence information"]


def test_cancelled_work_goes_on_from_where_it_was(
    widget: Any, viewer: Any, napari: Any, run: Path, tmp_path: Path
) -> None:
    save_image(tmp_path / "long.zarr", noise(40, 1, 1, 300, 300, dtype="uint16"), "tyx")
    opened(viewer, tmp_path / "long.zarr")
    widget.translate()
    widget.cancel()
    assert "cancelled" in finished(widget, napari)
    assert len(viewer.layers) == 1
    assert not (tmp_path / "long.translated.zarr").exists()
    widget.translate()
    assert finished(widget, napari) == "done"
    assert np.array_equal(
        colours(viewer.layers[-1]), commanded(tmp_path / "long.zarr", run, tmp_path / "told.zarr")
    )


def test_what_cannot_be_done_is_said_in_one_line(
    widget: Any, viewer: Any, napari: Any, movie: Path, tmp_path: Path
) -> None:
    widget.translate()
    assert "no image to translate" in widget.status.value
    opened(viewer, movie)
    widget.run.value = tmp_path
    widget.translate()
    assert "no model at" in finished(widget, napari)
    assert widget.start_button.enabled


def test_images_are_offered_as_they_come_and_go(widget: Any, viewer: Any, movie: Path) -> None:
    assert not widget.layer.choices
    layer = opened(viewer, movie)
    viewer.add_labels(np.zeros((4, 4), int))
    assert widget.layer.value is layer
    layer.name = "other"
    assert widget.layer.current_choice == "other"
    viewer.layers.clear()
    assert widget.layer.value is None


def test_the_sample_is_a_pair_of_stores_made_once(
    napari: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stable_tiles.napari.sample import section

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, second = section()
    assert [len(image[0]) for image in (first, second)] == [2, 2]
    stored = Path(first[1]["metadata"][STORE])
    assert open_image(stored).is_rgb
    made = stored.stat().st_mtime_ns
    section()
    assert stored.stat().st_mtime_ns == made


def test_the_manifest_is_valid_and_its_commands_exist(napari: Any) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("npe2"), "validate", "stable-tiles"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("stable-tiles")
    assert [w.display_name for w in manifest.contributions.widgets or ()] == ["Translate"]
    for command in manifest.contributions.commands or ():
        module, _, name = str(command.python_name).partition(":")
        assert callable(getattr(importlib.import_module(module), name))
