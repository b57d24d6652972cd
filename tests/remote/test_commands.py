"""What else reads and writes behind URLs, and that no secret leaves with a message or a store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from stable_tiles_cli.main import main

from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.convert.options import Said
from stable_tiles.image.store import open_image
from stable_tiles.info import Info, info
from stable_tiles.remote import patience
from stable_tiles.remote.location import Remote, files_of
from stable_tiles.train.run import train
from stable_tiles.translate.verb import translate
from stable_tiles.view.verb import view
from tests.image.stores import write_store
from tests.remote.bucket import ENVIRONMENT, NAME, Bucket, Trouble, fetched, put
from tests.train.stores import random_pixels
from tests.train.test_remote import RangeHandler
from tests.train.test_run import tiny
from tests.translate.scenes import array_files, noise, options, save_image, save_model

SMALL = ConvertOptions(Said(pixel_size=(0.5, 0.5)), chunk=64, shard=128)
PIXELS = np.random.default_rng(0).integers(0, 255, (300, 260)).astype(np.uint8)


@pytest.fixture
def local(tmp_path: Path, bucket: Bucket) -> Path:
    """A store on the disk, and the same as ``in/a.zarr`` in an otherwise empty bucket."""
    everything = Remote(f"s3://{NAME}")
    everything.objects.remove([name for name, _ in files_of(everything)])
    write_store(tmp_path / "a.zarr", PIXELS)
    put(tmp_path / "a.zarr", f"s3://{NAME}/in/a.zarr")
    bucket.forget()
    return tmp_path


def test_a_file_is_converted_into_a_bucket_and_a_store_from_one_to_another(
    local: Path, bucket: Bucket
) -> None:
    tifffile.imwrite(local / "a.tif", PIXELS)
    convert(local / "a.tif", local / "b.zarr", SMALL)
    for source, name in ((str(local / "a.tif"), "b"), (f"s3://{NAME}/out/b.zarr", "c")):
        target = f"s3://{NAME}/out/{name}.zarr"
        report = convert(source, target, SMALL)
        assert fetched(target) == array_files(local / "b.zarr")
        assert report.bytes_out == sum(e.bytes for _, e in files_of(Remote(target)))
        assert not list(files_of(Remote(f"{target}.partial")))
    assert not bucket.repeated("PUT", "out/")


def test_an_interrupted_conversion_is_resumed_in_the_bucket(local: Path, bucket: Bucket) -> None:
    tifffile.imwrite(local / "a.tif", PIXELS)
    target = f"s3://{NAME}/out/b.zarr"

    def stop(what: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(local / "a.tif", target, SMALL, stop)
    bucket.forget()
    report = convert(local / "a.tif", target, replace(SMALL, resume=True))
    assert report.resumed_regions >= 4
    written = {key for method, key, _ in bucket.asked if method == "PUT" and "/0/c/" in key}
    assert len(written) == 9 - report.resumed_regions
    assert np.array_equal(np.asarray(open_image(target).levels[0].array[:]), PIXELS)


def test_a_store_in_a_bucket_is_described_and_verified(local: Path) -> None:
    told = info(f"s3://{NAME}/in/a.zarr", read_all=True)
    assert isinstance(told, Info)
    assert told.faults == []
    Remote(f"s3://{NAME}/in/a.zarr").objects.remove(["0/c/1/1"])
    broken = info(f"s3://{NAME}/in/a.zarr", read_all=True)
    assert isinstance(broken, Info)
    assert broken.faults
    assert {fault.kind for fault in broken.faults} == {"missing"}


@pytest.mark.parametrize("processes", [0, 2])
def test_training_from_a_bucket_has_the_losses_of_one_from_the_disk(
    local: Path, processes: int
) -> None:
    write_store(local / "b.zarr", random_pixels((1, 1, 2, 64, 64), 1), "tczyx", shard=64)
    put(local / "b.zarr", f"s3://{NAME}/in/b.zarr")
    told = tiny("training.steps=2", f"data.workers={processes}")
    losses = [
        train(told, [f"{root}/a.zarr"], [f"{root}/b.zarr"], local / f"run{number}").losses
        for number, root in enumerate((str(local), f"s3://{NAME}/in"))
    ]
    assert losses[0] == losses[1]


def test_the_viewer_passes_a_bucket_on(local: Path) -> None:
    with view([f"s3://{NAME}/in/a.zarr"], 0) as opened:
        connection = HTTPConnection(urlsplit(opened.url).netloc)
        shard = (local / "a.zarr/0/c/0/0").read_bytes()
        for asked, expected in (("bytes=5-9", shard[5:10]), ("bytes=-4", shard[-4:])):
            connection.request("GET", "/stores/a.zarr/0/c/0/0", headers={"Range": asked})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (206, expected)
        connection.request("GET", "/stores/a.zarr/9/zarr.json")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404
        connection.close()


def told_by(*command: str) -> tuple[int, str]:
    """Exit code and all that a command says."""
    done = CliRunner().invoke(main, [*command])
    return done.exit_code, done.output


def test_a_store_that_refuses_or_is_not_there_is_one_line_without_secrets(
    local: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "TRIES", 2)
    store = f"s3://{NAME}/in/a.zarr"

    def forbid(number: int) -> Trouble | None:
        return "403"

    with bucket.troubled(forbid):
        found = [told_by("info", store)]
    found += [told_by("info", f"s3://{NAME}/none.zarr"), told_by("info", "s3://other/a.zarr")]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    found.append(told_by("info", f"s3://{NAME}/in/unreachable.zarr"))
    found.append(told_by("info", "s3://user:hidden-key@bucket/a.zarr"))
    words = ("is forbidden", "no store", "no bucket", "does not answer", "do not belong")
    for (code, said), word in zip(found, words, strict=True):
        assert code in {1, 2}
        assert word in said
        assert len(said.strip().splitlines()) == 1
        assert not any(secret in said for secret in ENVIRONMENT.values() if "-" not in secret[:3])
        assert "hidden" not in said


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[str]:
    """The address of a store whose query is a secret."""
    save_image(tmp_path / "served/a.zarr", noise(1, 1, 1, 150, 130), "yx")
    handler = partial(RangeHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/a.zarr?X-Amz-Signature=SECRET"
        server.shutdown()
        thread.join()


def test_a_signature_in_an_address_reaches_no_metadata(signed: str, tmp_path: Path) -> None:
    run = save_model(tmp_path / "run")
    translate(signed, tmp_path / "b.zarr", options(run))
    convert(signed, tmp_path / "c.zarr", SMALL)
    kept = [p.read_text() for name in "bc" for p in (tmp_path / f"{name}.zarr").glob("zarr.json")]
    assert len(kept) == 2
    assert not any("SECRET" in text or "Signature" in text for text in kept)
    provenance = json.loads(kept[0])["attributes"]["stable_tiles"]["provenance"]
    assert provenance["source"]["name"] == "a.zarr"
    assert open_image(signed).path == signed.partition("?")[0]
