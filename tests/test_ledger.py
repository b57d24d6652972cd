from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import FingerprintMismatch, InputError
from stable_tiles.ledger import Ledger, Receipt, StoredFile, digest_of, sweep
from stable_tiles.region import Region

REGION = Region((0, 0, 64, 128), (1, 1, 128, 192))


def store_with(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / "store" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "store" / path).write_bytes(content)
    return folder / "store"


@given(
    starts=st.lists(st.integers(0, 10**6), min_size=4, max_size=4),
    seconds=st.floats(0, 1e9),
)
def test_a_receipt_survives_json(starts: list[int], seconds: float) -> None:
    region = Region(tuple(starts), tuple(n + 1 for n in starts))
    receipt = Receipt(region, (StoredFile("0/c/1", 3, "ab"),), {"seconds": seconds})
    assert Receipt.from_json(receipt.to_json()) == receipt


def test_receipts_of_several_writers_come_back(tmp_path: Path) -> None:
    store = store_with(tmp_path, {"0/c/0": b"abc", "0/c/1": b"de"})
    Ledger(tmp_path).begin({"model": "m"})
    writers = Ledger(tmp_path), Ledger(tmp_path)
    later = Receipt.of(REGION, store, ["0/c/1"], {"n": 1})
    first = Receipt.of(Region((0, 0, 0, 0), (1, 1, 64, 64)), store, ["0/c/0"], {})
    for receipt, writer in zip((later, first, later), (*writers, writers[0]), strict=True):
        writer.record(receipt)
    assert sorted(map(str, Ledger(tmp_path).receipts())) == sorted(map(str, [first, later, later]))
    assert len(list((tmp_path / "receipts").iterdir())) == 2
    assert {receipt.region for receipt in Ledger(tmp_path).verified(store)} == {
        first.region,
        later.region,
    }


@pytest.mark.parametrize("damage", ["flip", "shorten", "remove"])
def test_a_receipt_whose_file_changed_does_not_count(tmp_path: Path, damage: str) -> None:
    store = store_with(tmp_path, {"0/c/0": b"abc"})
    ledger = Ledger(tmp_path)
    ledger.begin({})
    ledger.record(Receipt.of(REGION, store, ["0/c/0"], {}))
    file = store / "0/c/0"
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(b"abd" if damage == "flip" else b"ab")
    assert not any(ledger.verified(store))


@given(cut=st.integers(1, 200))
@settings(deadline=None)
def test_a_torn_line_costs_no_receipt_but_its_own(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    ledger = Ledger(folder)
    ledger.begin({})
    receipts = [Receipt(REGION, (StoredFile("0/c/1", 3, "ab"),), {"n": n}) for n in range(3)]
    ledger.record(receipts[0])
    (file,) = (folder / "receipts").iterdir()
    whole = file.read_bytes()
    ledger.record(receipts[1])
    file.write_bytes(file.read_bytes()[: len(whole) + cut])
    kept = receipts[: 2 if cut > len(whole) - 2 else 1]
    assert list(ledger.receipts()) == kept
    ledger.record(receipts[2])
    assert list(ledger.receipts()) == [*kept, receipts[2]]


def test_resuming_with_other_inputs_is_refused_and_names_what_differs(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin({"model": "m1", "--tile": "512", "input": "i"})
    ledger.check({"model": "m1", "--tile": "512", "input": "i"})
    with pytest.raises(FingerprintMismatch, match="another --tile, model:") as caught:
        ledger.check({"model": "m2", "--tile": "640", "input": "i"})
    assert "\n" not in str(caught.value)


def test_resuming_what_was_never_begun_is_refused(tmp_path: Path) -> None:
    assert not Ledger(tmp_path).exists
    with pytest.raises(InputError, match="nothing to resume"):
        Ledger(tmp_path).check({})


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [2, 3]}) == digest_of({"b": [2, 3], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_sweeping_removes_what_a_killed_writer_left_and_nothing_else(tmp_path: Path) -> None:
    store = store_with(tmp_path, {"0/c/0.1f.partial": b"x", "0/c/0": b"y"})
    sweep(store)
    assert [path.name for path in store.rglob("*") if path.is_file()] == ["0"]
