"""A headless Chromium, and pages that remember what went wrong in them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import imagecodecs
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE_S = 40.0
"""How long a busy machine may take to draw what is expected."""

SWITCHES = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
    "--use-angle=swiftshader",
)


@dataclass
class Tab:
    """A page of the browser, and what it asked for and complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def gray(self, x: int, y: int) -> int:
        """Mean of red, green and blue of a pixel of the window."""
        return sum(self.color(x, y)) // 3

    def color(self, x: int, y: int) -> tuple[int, ...]:
        """Red, green and blue of a pixel of the window."""
        png = self.page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
        pixels: Any = imagecodecs.png_decode(png)
        return tuple(int(v) for v in pixels[0, 0, :3])

    def until(self, seen: Callable[[], bool]) -> None:
        """Wait until something is seen; fail with what the page complained of."""
        deadline = time.monotonic() + PATIENCE_S
        while not seen():
            said = self.page.locator("#message").text_content()
            assert time.monotonic() < deadline, f"{self.page.url}: {said} {self.complaints}"
            time.sleep(0.05)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium; tests that need it skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=list(SWITCHES))
        yield opened
        opened.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """A new window, 1280 x 800; it must neither complain nor ask anything of other hosts."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    opened = Tab(page)
    page.on("request", lambda request: opened.requests.append(request.url))
    page.on(
        "console",
        lambda said: opened.complaints.append(said.text) if said.type == "error" else None,
    )
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    yield opened
    page.close()
    assert opened.complaints == []
    local = ("http://127.0.0.1:", "data:", "blob:")
    assert [url for url in opened.requests if not url.startswith(local)] == []
