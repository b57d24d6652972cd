"""Neuroglancer with our stores in it: only they are served, and they are seen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest

from stable_tiles.view import VolumeViewer, view_volumes
from tests.image.stores import write_store
from tests.view.conftest import PATIENCE_S, Tab

SIDE = 96


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VolumeViewer]:
    """A bright volume of two time points, and a colour image."""
    pytest.importorskip("neuroglancer", reason="pip install 'stable-tiles[neuroglancer]'")
    folder = tmp_path_factory.mktemp("volumes")
    pixels = np.full((2, 20, SIDE, SIDE), 3000, np.uint16)
    pixels[:, :, :4, :4] = 0
    write_store(folder / "volume.zarr", pixels, "tzyx")
    write_store(folder / "slide.zarr", np.full((3, SIDE, SIDE), 200, np.uint8), "cyx")
    (folder / "secret.txt").write_text("secret")
    (folder / "volume.zarr" / "out").symlink_to(folder / "secret.txt")
    with view_volumes([folder / "volume.zarr", folder / "slide.zarr"]) as opened:
        yield opened


def layers(viewer: VolumeViewer) -> dict[str, Any]:
    """The layers of the viewer's state by their names."""
    state = viewer._viewer.state.to_json()
    return {layer["name"]: layer for layer in state["layers"]}


def source(viewer: VolumeViewer, name: str) -> Any:
    (found,) = layers(viewer)[name]["source"]
    return found


def address(viewer: VolumeViewer, name: str) -> str:
    return str(source(viewer, name)["url"]).partition("://")[2]


def ask(url: str, **headers: str) -> tuple[int, bytes]:
    try:
        with urlopen(Request(url, headers=headers), timeout=20) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, b""


def test_it_listens_on_the_loopback_address_and_serves_the_stores(viewer: VolumeViewer) -> None:
    assert viewer.url.startswith("http://127.0.0.1:")
    url = address(viewer, "volume.zarr")
    status, body = ask(url + "zarr.json")
    assert status == 200
    assert "ome" in json.loads(body)["attributes"]
    assert ask(url + "zarr.json", Range="bytes=-7") == (206, body[-7:])


@pytest.mark.parametrize("path", ["../secret.txt", "%2e%2e/secret.txt", "out", "0", "nothing"])
def test_whatever_lies_outside_the_stores_is_refused(viewer: VolumeViewer, path: str) -> None:
    status, body = ask(address(viewer, "volume.zarr") + path)
    assert status in {403, 404}
    assert b"secret" not in body


def test_without_the_secret_of_its_address_nothing_is_served(viewer: VolumeViewer) -> None:
    parts = address(viewer, "volume.zarr").split("/")
    parts[3] = "guessed"
    assert ask("/".join(parts) + "zarr.json")[0] == 404


def test_axes_are_in_si_units_and_contrast_is_the_stores(viewer: VolumeViewer) -> None:
    transform = source(viewer, "volume.zarr")["transform"]["outputDimensions"]
    assert transform["x"] == [pytest.approx(5e-7), "m"]
    controls = layers(viewer)["volume.zarr"]["shaderControls"]
    assert controls["normalized"]["range"] == [0, 3000]
    assert "c^" in source(viewer, "slide.zarr")["transform"]["outputDimensions"]


def test_a_browser_shows_the_volume_and_asks_nobody_else(viewer: VolumeViewer, tab: Tab) -> None:
    with viewer._viewer.txn() as state:
        state.layers["slide.zarr"].visible = False
        state.layout = "xy"
        state.show_axis_lines = state.show_default_annotations = False
    tab.page.goto(viewer.url)
    deadline = time.monotonic() + PATIENCE_S
    while tab.gray(640, 400) < 250:
        assert time.monotonic() < deadline, tab.complaints
        time.sleep(0.2)
