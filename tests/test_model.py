from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stable_tiles.domain import Domain
from stable_tiles.errors import ModelError, RunNotFound
from stable_tiles.intensity import Normalizer
from stable_tiles.model import DOCUMENT, WEIGHTS, Model, load_model
from stable_tiles.settings import Normalization
from tests.networks.nets import images, lively

GREY = Domain(
    channels=1,
    channel_names=("GCaMP",),
    dtype="uint16",
    normalizer=Normalizer((100.0,), (4321.5,)),
    normalization=Normalization(kind="percentile", low=1, high=99),
    colors=("00FF00",),
    pixel_size_um=0.5,
)
COLOUR = Domain(
    channels=3,
    channel_names=("R", "G", "B"),
    dtype="uint8",
    normalizer=Normalizer((0.0, 1.0, 2.0), (255.0, 254.0, 253.0)),
    normalization=Normalization(kind="range", per="channel"),
    colors=("FF0000", "00FF00", "0000FF"),
)


@pytest.fixture
def model() -> Model:
    network = lively((1, 3), norm="batch")
    return Model(network, network.settings, {"a": GREY, "b": COLOUR}, {"steps": 3, "of": ["x"]})


@pytest.fixture
def saved(model: Model, tmp_path: Path) -> Path:
    model.save(tmp_path / "run")
    return tmp_path / "run"


@torch.inference_mode()
def test_a_loaded_model_is_the_one_that_was_saved(model: Model, saved: Path) -> None:
    loaded = load_model(saved)
    assert loaded.domains == model.domains
    assert loaded.settings == model.settings
    assert loaded.provenance == model.provenance
    assert loaded.digest == model.digest
    assert (loaded.stride, loaded.reach("a2b")) == (4, model.reach("a2b"))
    assert not loaded.network.training
    x = images(1, 1, 40, 50)
    translated = loaded.network.translate(x, "a2b")
    assert torch.equal(translated, model.network.translate(x, "a2b"))
    assert sorted(path.name for path in saved.iterdir()) == [DOCUMENT, WEIGHTS]


def test_directions_name_their_domains(model: Model) -> None:
    assert (model.source("a2b"), model.target("a2b")) == (GREY, COLOUR)
    assert (model.source("b2a"), model.target("b2a")) == (COLOUR, GREY)


def test_the_same_model_gives_the_same_files(saved: Path, tmp_path: Path) -> None:
    load_model(saved).save(tmp_path / "again")
    for name in (DOCUMENT, WEIGHTS):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_other_weights_or_domains_give_another_digest(model: Model) -> None:
    others = {"a": replace(GREY, pixel_size_um=1.0), "b": COLOUR}
    before = model.digest
    assert replace(model, domains=others).digest != before
    with torch.no_grad():
        next(model.network.parameters()).add_(1)
    assert model.digest != before


def test_the_document_can_be_read_by_people(model: Model, saved: Path) -> None:
    document = json.loads((saved / DOCUMENT).read_text())
    assert document["reach"] == {"a2b": model.reach("a2b"), "b2a": model.reach("b2a")}
    assert document["stride"] == 4
    assert document["domains"]["a"]["high"] == [4321.5]
    assert len(document["offset_bounds"]) == 8


def test_loading_leaves_others_random_draws_alone(saved: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    load_model(saved)
    assert torch.equal(torch.rand(2), expected)


def test_loading_does_without_the_compiler_of_pytorch(saved: Path) -> None:
    code = "import sys; from stable_tiles.model import load_model; load_model(sys.argv[1]); "
    code += "print('torch._dynamo' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code, saved], capture_output=True, check=True)
    assert said.stdout.strip() == b"False"


def test_a_missing_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="is not a folder"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(RunNotFound, match=r"has no model\.json"):
        load_model(tmp_path)


def test_missing_weights_say_so(saved: Path) -> None:
    (saved / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=r"has no model\.safetensors"):
        load_model(saved)


@pytest.mark.parametrize("at", [4, 2000, -1])
def test_one_changed_byte_of_the_weights_is_found(saved: Path, at: int) -> None:
    content = bytearray((saved / WEIGHTS).read_bytes())
    content[at] ^= 1
    (saved / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match="sha256 differs"):
        load_model(saved)


def test_cut_weights_are_found(saved: Path) -> None:
    content = (saved / WEIGHTS).read_bytes()
    (saved / WEIGHTS).write_bytes(content[:1000])
    with pytest.raises(ModelError, match="too small"):
        load_model(saved)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((), [], "damaged"),
        (("format_version",), 99, "newer than 1: update"),
        (("format_version",), "x", "format_version"),
        (("network", "widths"), [8, 16, 30], "multiples of 4"),
        (("network", "widths"), [8, 16, 64], "does not hold|too small"),
        (("network", "widths"), [10**6, 10**6], "too small"),
        (("network", "colour"), 1, r"network\.colour"),
        (("network", "architecture"), "x", "network: no such architecture"),
        (("network", "architecture"), "cut", r"network\.\w+: Extra"),
        (("network",), [], r"network"),
        (("domains", "a", "channels"), 2, "2 channels have 1 names"),
        (("domains", "a", "high"), [-1.0], "not below"),
        (("domains", "b"), None, "domains"),
    ],
)
def test_a_document_that_is_wrong_gets_one_line(
    saved: Path, path: tuple[str, ...], value: Any, message: str
) -> None:
    tree = json.loads((saved / DOCUMENT).read_text())
    if path:
        node = tree
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
    (saved / DOCUMENT).write_text(json.dumps(tree if path else value))
    with pytest.raises(ModelError, match=message) as raised:
        load_model(saved)
    assert "\n" not in str(raised.value)
    assert DOCUMENT in str(raised.value)


def test_a_document_that_is_not_json_gets_one_line(saved: Path) -> None:
    (saved / DOCUMENT).write_text("{\n  not json")
    with pytest.raises(ModelError, match="damaged") as raised:
        load_model(saved)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"channel_names": ("x", "y")},
        {"colors": ()},
        {"normalizer": Normalizer((0.0, 0.0), (1.0, 1.0))},
    ],
    ids=str,
)
def test_a_domain_whose_parts_do_not_fit_cannot_be_built(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 channels"):
        replace(GREY, **changes)
