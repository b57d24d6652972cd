"""Training from stores behind a URL."""

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

from stable_tiles.errors import StoreNotFound
from stable_tiles.image.store import open_image
from stable_tiles.remote import patience
from stable_tiles.remote.objects import objects_at
from stable_tiles.settings import DataSettings
from stable_tiles.train.faults import BadPixels
from stable_tiles.train.loader import ahead
from stable_tiles.train.patches import Patches
from stable_tiles.train.run import train
from tests.train.stores import random_pixels, write_store
from tests.train.test_run import tiny

DATA = DataSettings(patch=16, batch=2)


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder, whole whatever range is asked for; of `broken` ones only an error."""

    broken: frozenset[str] = frozenset()

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        if self.path in self.broken:
            self.send_error(500)
        else:
            super().do_GET()


class RangeHandler(Handler):
    """The same with byte ranges."""

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        file = Path(self.translate_path(self.path))
        if asked is None or not file.is_file():
            super().do_GET()
            return
        whole = file.read_bytes()
        first = int(asked[1]) if asked[1] else len(whole) - int(asked[2])
        last = int(asked[2]) if asked[1] and asked[2] else len(whole) - 1
        part = whole[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(whole)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


@pytest.fixture(scope="module", params=[Handler, RangeHandler], ids=["whole files", "ranges"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """A folder with two stores, and the URL that it is served under."""
    folder = tmp_path_factory.mktemp("served")
    write_store(folder / "plain.zarr", random_pixels((1, 1, 2, 64, 64), 0))
    write_store(folder / "sharded.zarr", random_pixels((1, 1, 2, 64, 64), 1), shard=64)
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(request.param, directory=str(folder))
    ) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore:the server of")
@pytest.mark.parametrize("name", ["plain.zarr", "sharded.zarr"])
@pytest.mark.parametrize("workers", [0, 2])
def test_patches_from_a_server_are_those_from_the_disk(
    served: tuple[Path, str], name: str, workers: int
) -> None:
    here, there = (Patches([open_image(f"{root}/{name}")], DATA, (0, 0)) for root in served)
    batches = ahead(there.batch, range(8), workers)
    for step, batch in enumerate(batches):
        np.testing.assert_array_equal(batch, here.batch(step))


@pytest.mark.filterwarnings("ignore:the server of")
def test_a_training_reads_from_a_server(served: tuple[Path, str], tmp_path: Path) -> None:
    reports = []
    for i, root in enumerate(served):
        sources, targets = [f"{root}/plain.zarr"], [f"{root}/sharded.zarr"]
        out = tmp_path / str(i)
        reports.append(train(tiny("training.steps=3"), sources, targets, out))
    assert reports[0].losses == reports[1].losses
    assert [part["store"] for part in reports[1].split["a"]] == ["plain.zarr"]
    url = served[1]
    for file in ("model.json", "split.json", "config.yaml"):
        assert url not in (tmp_path / "1" / file).read_text()


def test_a_server_that_fails_is_named_with_store_and_position(
    served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    patches = Patches([open_image(f"{served[1]}/plain.zarr")], DATA, (0, 0))
    monkeypatch.setattr(patience, "TRIES", 2)
    bad = "/plain.zarr/0/c/0/0/1/1/0"
    monkeypatch.setattr(Handler, "broken", frozenset([bad]))
    with pytest.raises(BadPixels, match=r"plain\.zarr level 0, t 0, z 1, y 32, x 0: cannot be"):
        list(ahead(patches.batch, range(200), 0))


def test_a_server_without_ranges_is_warned_of_once(served: tuple[Path, str]) -> None:
    objects_at.cache_clear()  # which remembers that it warned
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        patches = Patches([open_image(f"{served[1]}/sharded.zarr")], DATA, (0, 0))
        list(ahead(patches.batch, range(20), 0))
    without = [str(w.message) for w in caught if "ignores byte ranges" in str(w.message)]
    asked = Request(f"{served[1]}/sharded.zarr/zarr.json", headers={"Range": "bytes=0-9"})
    with urlopen(asked) as answer:
        assert len(without) == (1 if len(answer.read()) > 10 else 0)


def test_an_address_without_a_store_is_refused(served: tuple[Path, str]) -> None:
    with pytest.raises(StoreNotFound, match=r"no store .*gone\.zarr: check the address"):
        open_image(f"{served[1]}/gone.zarr")


def test_a_package_that_is_missing_is_named_with_its_install_line() -> None:
    probe = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "from stable_tiles.errors import MissingExtra\n"
        "from stable_tiles.image.store import open_image\n"
        "try:\n    open_image('http://127.0.0.1:9/a.zarr')\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "pip install 'stable-tiles[remote]'" in done.stdout
    assert len(done.stdout.splitlines()) == 1
