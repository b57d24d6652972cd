"""The page in headless Chromium: what a user sees when they drag, zoom, toggle and link."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stable_tiles.axes import Axes
from stable_tiles.image.codec import Codec
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel, Version
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import create_store
from stable_tiles.view import Viewer, export_view, view
from stable_tiles.view.site import page_folder
from tests.image.stores import cut, write_store
from tests.view.conftest import Tab
from tests.view.sparse import AT_LEVEL_0, sparse_store

LEFT, RIGHT, MIDDLE_Y = 300, 700, 425
"""Places of the window on either side of the swipe's line in the middle of the stage."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("pair")
    sparse_store(folder / "input.zarr", 60)
    sparse_store(folder / "output.zarr", 160)
    with view([folder / "input.zarr", folder / "output.zarr"], 0) as opened:
        yield opened


def shows(tab: Tab, left: int, right: int) -> Callable[[], bool]:
    """Whether the two halves of the stage have these grays."""
    return lambda: (tab.gray(LEFT, MIDDLE_Y), tab.gray(RIGHT, MIDDLE_Y)) == (left, right)


def test_a_pair_of_16384_pixels_shows_its_first_image(pair: Viewer, tab: Tab) -> None:
    tab.page.goto(pair.url)
    tab.until(shows(tab, 60, 160))
    assert tab.page.locator("#scale-text").text_content() == "500 µm"
    assert not any("/input.zarr/0/c/" in url for url in tab.requests)


def test_the_swipe_moves_with_the_pointer_and_with_keys(pair: Viewer, tab: Tab) -> None:
    tab.page.goto(pair.url)
    tab.until(shows(tab, 60, 160))
    handle = tab.page.locator("#handle")
    box = handle.bounding_box()
    assert box is not None
    tab.page.mouse.move(box["x"] + 14, MIDDLE_Y)
    tab.page.mouse.down()
    tab.page.mouse.move(200, MIDDLE_Y, steps=4)
    tab.page.mouse.up()
    tab.until(shows(tab, 160, 160))
    handle.press("End")
    tab.until(shows(tab, 60, 60))
    assert handle.get_attribute("aria-valuenow") == "100"


def test_zoom_reaches_level_0_of_both_images_at_the_same_place(pair: Viewer, tab: Tab) -> None:
    tab.page.goto(pair.url)
    tab.until(shows(tab, 60, 160))
    tab.page.get_by_role("button", name="1:1").click()
    tab.until(shows(tab, 60 + AT_LEVEL_0, 160 + AT_LEVEL_0))
    assert tab.page.locator("#scale-text").text_content() == "20 µm"
    for name in ("input.zarr", "output.zarr"):
        assert any(f"/{name}/0/c/" in url for url in tab.requests)
    tab.page.mouse.move(LEFT, MIDDLE_Y)
    tab.until(lambda: "65  |  165" in (tab.page.locator("#readout").text_content() or ""))


def test_t_and_z_change_the_plane(pair: Viewer, tab: Tab) -> None:
    tab.page.goto(pair.url)
    tab.until(shows(tab, 60, 160))
    tab.page.get_by_role("button", name="Next t").click()
    tab.until(shows(tab, 80, 180))
    tab.page.get_by_label("z", exact=True).fill("1")
    tab.until(shows(tab, 90, 190))
    tab.page.keyboard.press("Escape")
    tab.page.locator("#left").focus()
    tab.page.keyboard.press(",")
    tab.until(shows(tab, 70, 170))
    tab.until(lambda: tab.page.get_by_label("t", exact=True).input_value() == "0")


def test_a_link_restores_the_view(pair: Viewer, tab: Tab) -> None:
    tab.page.goto(pair.url)
    tab.until(shows(tab, 60, 160))
    tab.page.get_by_role("button", name="Side by side").click()
    tab.page.get_by_role("button", name="Next z").click()
    tab.page.get_by_role("button", name="1:1").click()
    tab.page.get_by_role("spinbutton", name="gray: upper").first.fill("130")
    tab.page.get_by_role("spinbutton", name="gray: upper").first.press("Enter")
    expected = (round(75 * 255 / 130), 175)
    tab.until(shows(tab, *expected))
    for piece in ("mode=side", "130", "at="):
        tab.until(lambda found=piece: found in tab.page.url)  # type: ignore[misc]  # see above
    link = tab.page.url
    tab.page.goto("about:blank")
    tab.page.goto(link)
    tab.until(shows(tab, *expected))
    assert tab.page.locator("#scale-text").text_content() == "20 µm"
    tab.until(lambda: tab.page.url == link)


NONSENSE = "#mode=x&left=no&at=a,b&t=-4&z=9999&swipe=7&c.input.zarr=1,2;;&confidence=x"


def test_a_link_that_makes_no_sense_shows_the_stores(pair: Viewer, tab: Tab) -> None:
    tab.page.goto(pair.url + NONSENSE)
    tab.until(lambda: tab.gray(LEFT, MIDDLE_Y) == 70)


def test_channels_are_switched_coloured_and_stretched(tmp_path: Path, tab: Tab) -> None:
    pixels = np.stack([np.full((300, 400), v, np.uint16) for v in (1000, 3000)])
    pixels[:, :4, :4] = [[[0]], [[0]]]
    write_store(tmp_path / "two.zarr", pixels, "cyx")
    with view([tmp_path / "two.zarr"], 0) as opened:
        windows = "c.two.zarr=1,ff0000,0,2000;1,0000ff,0,4000"
        tab.page.goto(f"{opened.url}#{windows}")
        tab.until(lambda: tab.color(LEFT, MIDDLE_Y) == (128, 0, 191))
        tab.page.get_by_label("c1", exact=True).uncheck()
        tab.until(lambda: tab.color(LEFT, MIDDLE_Y) == (128, 0, 0))
        tab.page.get_by_label("Colour of c0").fill("#00ff00")
        tab.until(lambda: tab.color(LEFT, MIDDLE_Y) == (0, 128, 0))


def test_a_colour_image_has_one_brightness(tmp_path: Path, tab: Tab) -> None:
    pixels = np.ones((3, 300, 400), np.uint8) * np.array([[[100]], [[50]], [[25]]], np.uint8)
    write_store(tmp_path / "rgb.zarr", pixels, "cyx")
    with view([tmp_path / "rgb.zarr"], 0) as opened:
        tab.page.goto(opened.url)
        tab.until(lambda: tab.color(LEFT, MIDDLE_Y) == (100, 50, 25))
        assert tab.page.locator("#panel .channel").count() == 1
        field = tab.page.get_by_role("spinbutton", name="Brightness: upper")
        field.fill("127.5")
        field.press("Enter")
        tab.until(lambda: tab.color(LEFT, MIDDLE_Y) == (200, 100, 50))
        tab.page.get_by_role("button", name="Auto").click()
        tab.until(lambda: tab.color(LEFT, MIDDLE_Y) == (255, 85, 0))


def test_confidence_is_drawn_over_the_translation(tmp_path: Path, tab: Tab) -> None:
    plain = np.full((300, 400), 100, np.uint8)
    plain[:4, :4] = 0
    write_store(tmp_path / "in.zarr", plain)
    write_store(tmp_path / "out.zarr", plain)
    errors = np.zeros((2, 300, 400), np.float32)
    errors[1] = 1
    write_store(tmp_path / "out.zarr" / "confidence", errors, "cyx")
    with view([tmp_path / "in.zarr", tmp_path / "out.zarr"], 0) as opened:
        tab.page.goto(opened.url + "#c.in.zarr=1,ffffff,0,255&c.out.zarr=1,ffffff,0,255")
        tab.until(shows(tab, 100, 100))
        tab.page.get_by_label("Show where errors are large").check()
        tab.page.get_by_label("Error", exact=True).select_option("c1")
        tab.page.get_by_label("opacity").fill("1")
        tab.page.get_by_role("spinbutton", name="error: upper").fill("0.5")
        tab.page.get_by_role("spinbutton", name="error: upper").press("Enter")
        tab.until(lambda: tab.color(RIGHT, MIDDLE_Y) == (252, 255, 164))
        assert tab.gray(LEFT, MIDDLE_Y) == 100
        tab.page.get_by_label("Show where errors are large").uncheck()
        tab.until(shows(tab, 100, 100))


def formats() -> list[tuple[npt.NDArray[Any], str, int, Codec]]:
    ramp = np.tile(np.arange(400), (300, 1))
    with_nan = ramp.astype(np.float32)
    with_nan[:, :40] = np.nan
    return [
        (ramp.astype(np.uint16), "yx", 128, Codec("zstd", 1)),
        (ramp.astype(np.uint16), "yx", 0, Codec("zstd", 1)),
        (ramp.astype(np.int32), "yx", 0, Codec("blosc", 3)),
        (with_nan, "yx", 128, Codec("blosc", 3)),
        (np.stack([ramp, ramp]).astype(np.int64), "zyx", 128, Codec("none", 0)),
    ]


@pytest.mark.parametrize("case", range(len(formats())))
def test_every_format_shows_its_pixels(case: int, tmp_path: Path, tab: Tab) -> None:
    pixels, names, shard, codec = formats()[case]
    axes = Axes.named(names, dict.fromkeys("zyx", 0.5), dict.fromkeys("zyx", "micrometer"))
    shape = axes.canonical_shape(pixels.shape)
    layout = plan_layout(shape, pixels.dtype.itemsize, chunk=64, shard=shard)
    ngff: Version = "0.5" if shard else "0.4"
    spec = ImageSpec(axes, layout, str(pixels.dtype), (Channel("gray"),), ngff, codec)
    writer = create_store(tmp_path / "a.zarr", spec, {})
    for region in layout.regions():
        writer.write(region, cut(pixels.reshape(shape), region))
    writer.seal(tmp_path / "a.zarr", {"kind": "source"})
    with view([tmp_path / "a.zarr"], 0) as opened:
        tab.page.goto(opened.url + "#c.a.zarr=1,ffffff,0,400")
        # The stage is 968 x 751 with 12 pixels around the image, whose left edge is a ramp's 0.
        for place in (200, 484, 800):
            expected = (place - 12) / (968 - 24) * 255
            tab.until(lambda at=place, v=expected: abs(tab.gray(at, MIDDLE_Y) - v) < 3)  # type: ignore[misc]  # mypy infers no defaults of lambdas


class Quiet(SimpleHTTPRequestHandler):
    """A plain web server, which knows no ranges."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's signature
        """Say nothing."""


def test_an_exported_page_works_on_a_plain_web_server(tmp_path: Path, tab: Tab) -> None:
    pixels = np.full((300, 400), 100, np.uint8)
    for name in ("a b.zarr", "c.zarr"):
        write_store(tmp_path / name, pixels)
    export_view([tmp_path / "a b.zarr", tmp_path / "c.zarr"], tmp_path / "page")
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        window = "c.c.zarr=1,ffffff,0,255&" + "c.a%20b.zarr=1,ffffff,0,255"
        tab.page.goto(f"http://127.0.0.1:{server.server_port}/page/#{window}")
        tab.until(shows(tab, 100, 100))
        assert "whole files" in (tab.page.locator("#message").text_content() or "")
        server.shutdown()


def test_a_store_that_went_away_is_said_on_the_page(tmp_path: Path, tab: Tab) -> None:
    write_store(tmp_path / "a.zarr", np.zeros((80, 90), np.uint8))
    with view([tmp_path / "a.zarr"], 0) as opened:
        (tmp_path / "a.zarr" / "zarr.json").unlink()
        tab.page.goto(opened.url)
        said = tab.page.locator("#message")
        tab.until(lambda: "a.zarr cannot be opened" in (said.text_content() or ""))
    tab.complaints.clear()


def test_a_phone_shows_the_same_and_nothing_sticks_out(pair: Viewer, tab: Tab) -> None:
    tab.page.set_viewport_size({"width": 390, "height": 800})
    tab.page.goto(pair.url)
    tab.until(lambda: (tab.gray(100, 420), tab.gray(300, 420)) == (60, 160))
    header = tab.page.locator("header")
    assert header.evaluate("e => e.scrollWidth <= e.clientWidth")
    tab.page.get_by_role("button", name="Side by side").click()
    tab.until(lambda: (tab.gray(100, 220), tab.gray(100, 620)) == (60, 160))


def test_the_bundle_was_built_from_these_sources() -> None:
    web = Path(__file__).parents[2] / "web"
    names = ["index.html", "package-lock.json", "vite.config.js"]
    names += [f"src/{path.name}" for path in (web / "src").iterdir()]
    digest = hashlib.sha256(b"".join((web / name).read_bytes() for name in sorted(names)))
    built = (page_folder() / "SOURCE.sha256").read_text().strip()
    assert built == digest.hexdigest(), "the page's sources changed: run `make page`"


def test_the_lock_file_names_no_registry() -> None:
    lock = (Path(__file__).parents[2] / "web" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
