"""Translation from and to a bucket: the bytes of a local one, nothing twice, whatever fails."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread

import pytest

from stable_tiles.errors import OutputExists, StoreNotFound, StoreUnreachable, WorkFailed
from stable_tiles.hold import Hold
from stable_tiles.image.store import open_image
from stable_tiles.info import info
from stable_tiles.ledger import Ledger
from stable_tiles.remote import patience
from stable_tiles.remote.location import Remote, files_of
from stable_tiles.translate.verb import translate
from tests.remote.bucket import NAME, Bucket, Trouble, fetched, put
from tests.translate.scenes import array_files, noise, options, save_image, save_model

SOURCE, TARGET = f"s3://{NAME}/in/a.zarr", f"s3://{NAME}/out/b.zarr"


class Scene:
    """A model, a source here and there, and the local translation that all must equal."""

    def __init__(self, folder: Path) -> None:
        self.run = save_model(folder / "run")
        save_image(folder / "a.zarr", noise(1, 1, 1, 300, 260), "yx")
        translate(folder / "a.zarr", folder / "b.zarr", options(self.run))
        self.source, self.expected = folder / "a.zarr", array_files(folder / "b.zarr")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def scene(made: Scene, bucket: Bucket) -> Scene:
    """The same, with its source in an otherwise empty bucket."""
    everything = Remote(f"s3://{NAME}")
    everything.objects.remove([name for name, _ in files_of(everything)])
    put(made.source, SOURCE)
    bucket.forget()
    return made


def test_a_bucket_holds_the_bytes_of_a_local_translation_and_nothing_is_done_twice(
    scene: Scene, bucket: Bucket
) -> None:
    report = translate(SOURCE, TARGET, options(scene.run))
    assert report.output == TARGET
    assert not bucket.repeated("GET", "in/")
    assert not bucket.repeated("PUT", "out/")
    assert fetched(TARGET) == scene.expected
    assert not list(files_of(Remote(f"{TARGET}.partial")))
    provenance = open_image(TARGET).attributes["provenance"]
    assert provenance["source"] == {"name": "a.zarr", "digest": open_image(scene.source).digest()}


def test_trouble_on_the_way_costs_retries_and_nothing_else(scene: Scene, bucket: Bucket) -> None:
    def trouble(number: int) -> Trouble | None:
        kinds: dict[int, Trouble] = {0: "500", 3: "slow", 5: "lost"}
        return kinds.get(number % 7)

    with bucket.troubled(trouble):
        translate(SOURCE, TARGET, options(scene.run))
    assert bucket.failed.total() > 20
    assert not bucket.repeated("GET", "in/")
    assert not bucket.repeated("PUT", "out/")
    assert fetched(TARGET) == scene.expected


def test_a_server_that_is_killed_and_comes_back_is_waited_for(scene: Scene, bucket: Bucket) -> None:
    def fail_over() -> None:
        while not any(method == "PUT" and "/c/" in key for method, key, _ in list(bucket.asked)):
            time.sleep(0.01)
        bucket.kill()
        time.sleep(2)
        bucket.open()

    killer = Thread(target=fail_over)
    killer.start()
    translate(SOURCE, TARGET, options(scene.run))
    killer.join()
    assert not bucket.repeated("PUT", "out/")
    assert fetched(TARGET) == scene.expected


def test_what_a_dead_server_left_undone_is_resumed_and_only_that(
    scene: Scene, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "TRIES", 2)

    def die(number: int) -> Trouble | None:
        written = sum(k.startswith("out/b.zarr.partial/receipts") for _, k, _ in bucket.asked)
        return "500" if written >= 3 else None

    with bucket.troubled(die), pytest.raises((WorkFailed, StoreUnreachable)):
        translate(SOURCE, TARGET, options(scene.run))
    with pytest.raises(StoreNotFound, match="unfinished"):
        open_image(TARGET)
    told = info(TARGET)
    assert isinstance(told, dict)
    done = told["progress"]["done"]
    assert 0 < done < told["progress"]["regions"]
    with pytest.raises(OutputExists, match="--resume"):
        translate(SOURCE, TARGET, options(scene.run))
    bucket.forget()
    report = translate(SOURCE, TARGET, options(scene.run, resume=True))
    assert report.resumed_regions == done
    assert not bucket.repeated("PUT", "out/")
    assert fetched(TARGET) == scene.expected


def test_a_shard_that_was_lost_or_changed_is_written_again(scene: Scene, bucket: Bucket) -> None:
    class Stop(Exception):
        """Ends a translation before it is sealed."""

    def stop(what: str, done: int, total: int) -> None:
        if done == total - 1:
            raise Stop

    with pytest.raises(Stop):
        translate(SOURCE, TARGET, options(scene.run), stop)
    receipts = Ledger(Remote(f"{TARGET}.partial")).receipts()
    known = {f"out/b.zarr/{file.path}" for receipt in receipts for file in receipt.files}
    output = Remote(TARGET).objects
    output.remove(["0/c/0/0"])
    output.write("0/c/1/1", b"torn")
    bucket.forget()
    translate(SOURCE, TARGET, options(scene.run, resume=True))
    again = {k for m, k, _ in bucket.asked if m == "PUT" and k.startswith("out/b.zarr/0/c/")}
    assert again & known == {"out/b.zarr/0/c/0/0", "out/b.zarr/0/c/1/1"}
    assert fetched(TARGET) == scene.expected


def test_parts_share_a_bucket_and_seal_it_once(scene: Scene, bucket: Bucket) -> None:
    for part in ((2, 3), (0, 3), (1, 3)):
        report = translate(SOURCE, TARGET, options(scene.run, part=part))
    assert report.complete
    assert not bucket.repeated("PUT", "out/b.zarr/0")
    assert fetched(TARGET) == scene.expected


def test_one_process_at_a_time_writes_an_output(scene: Scene, bucket: Bucket) -> None:
    hold = Hold(Remote(f"{TARGET}.partial"))
    hold.take()
    with pytest.raises(OutputExists, match=r"b\.zarr\.partial is being written by process \d+ on"):
        translate(SOURCE, TARGET, options(scene.run))
    hold.release()


def test_an_output_that_exists_is_refused_and_replaced_when_asked(
    scene: Scene, bucket: Bucket
) -> None:
    put(scene.source, TARGET)
    with pytest.raises(OutputExists, match="exists"):
        translate(SOURCE, TARGET, options(scene.run))
    translate(SOURCE, TARGET, options(scene.run, overwrite=True))
    assert fetched(TARGET) == scene.expected


def test_a_folder_of_other_things_is_never_overwritten(scene: Scene, bucket: Bucket) -> None:
    Remote(f"s3://{NAME}/out").objects.write("b.zarr/notes.txt", b"mine")
    with pytest.raises(OutputExists, match="is no store"):
        translate(SOURCE, TARGET, options(scene.run, overwrite=True))
    assert Remote(TARGET).objects.read("notes.txt") == b"mine"
