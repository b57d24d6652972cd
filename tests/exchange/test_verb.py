from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from stable_tiles_cli.main import main

from stable_tiles.errors import InputError, ModelError, OutputExists, StableTilesError
from stable_tiles.exchange.onnx_file import runner
from stable_tiles.exchange.verb import export_model
from stable_tiles.model import Model, load_model
from stable_tiles.networks.statistics import freeze
from tests.exchange.models import DOMAINS, save
from tests.networks import rivals
from tests.networks.nets import images
from tests.translate.scenes import domain, save_model

SIZES = ((1, 64, 80), (2, 37, 51), (1, 1, 3))


def answers(model: Model, file: Path, direction: Any) -> list[tuple[Any, Any]]:
    """What the file and the model make of images of several sizes."""
    run = runner(file.read_bytes())
    assert run is not None
    given = [images(n, model.source(direction).channels, *size) for n, *size in SIZES]
    with torch.inference_mode():
        return [
            (
                run(x.numpy()),
                model.network.translate(x, direction).numpy(),
            )
            for x in given
        ]


@pytest.mark.parametrize(
    ("changes", "opset", "direction"),
    [
        ({"norm": "batch"}, 16, "a2b"),
        ({"norm": "batch", "widths": (8, 16, 32, 64)}, 17, "b2a"),
        ({"norm": "instance"}, 18, "a2b"),
        ({"norm": "batch", "upsampling": "bilinear"}, 17, "a2b"),
        ({"norm": "none", "demodulate": False}, 17, "a2b"),
        ({"norm": "batch", "feature_scale": 4}, 17, "a2b"),
    ],
    ids=str,
)
def test_the_file_gives_what_the_network_gives(
    tmp_path: Path, changes: dict[str, Any], opset: int, direction: Any
) -> None:
    run = save(tmp_path / "run", **changes)
    made = export_model(run, tmp_path / "m.onnx", direction=direction, opset=opset)
    assert made.max_abs_difference is not None
    assert made.max_abs_difference < 1e-5
    model = load_model(run)
    freeze(model.network)
    for got, wanted in answers(model, tmp_path / "m.onnx", direction):
        assert got.shape == wanted.shape
        assert np.abs(got - wanted).max() <= 1e-4 * max(1e-2, np.ptp(wanted))


def test_the_file_says_what_it_is_and_nothing_private(tmp_path: Path) -> None:
    run = save_model(tmp_path / "run", domains=DOMAINS)
    export_model(run, tmp_path / "m.onnx")
    facts = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert facts["stable_tiles.model_digest"] == load_model(run).digest
    assert json.loads(facts["stable_tiles.source"])["normalization"]["high"] == 99
    assert json.loads(facts["stable_tiles.target"])["high"] == [255.0]
    content = (tmp_path / "m.onnx").read_bytes()
    assert str(tmp_path).encode() not in content
    assert b".py" not in content


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    run = save_model(tmp_path / "run", domains=DOMAINS)
    for name in ("a.onnx", "b.onnx"):
        export_model(run, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm": "none", "upsampling": "deformable"}, "deformable"),
        ({"norm": "instance", "held": False}, "depends on the whole image"),
    ],
    ids=str,
)
def test_a_network_that_cannot_be_exported_gets_one_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    run = save(tmp_path / "run", **changes)
    with pytest.raises(ModelError, match=message) as raised:
        export_model(run, tmp_path / "m.onnx")
    assert "\n" not in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_network_of_another_method_gets_one_line(tmp_path: Path) -> None:
    network = rivals.small("cyclegan")
    domains = {"a": domain(1), "b": domain(1)}
    Model(network, network.settings, domains, {}).save(tmp_path / "run")
    with pytest.raises(ModelError, match=r"only STABLE's networks .* architecture resnet"):
        export_model(tmp_path / "run", tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("m.pt", {}, InputError),
        ("m.onnx", {"opset": 15}, InputError),
        ("m.onnx", {"direction": "a2c"}, InputError),
        ("there.onnx", {}, OutputExists),
    ],
)
def test_wrong_names_and_options_are_refused(
    tmp_path: Path, name: str, given: dict[str, Any], kind: type[StableTilesError]
) -> None:
    (tmp_path / "there.onnx").touch()
    with pytest.raises(kind):
        export_model(tmp_path / "nothing", tmp_path / name, **given)


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    run = save_model(tmp_path / "run", domains=DOMAINS)
    arguments = ["model", "export", str(run), str(tmp_path / "m.onnx")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"wrote {tmp_path / 'm.onnx'}: onnx, a2b, opset 17")
    assert "differs from the model by up to" in done.stdout
    again = CliRunner().invoke(main, arguments)
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    told = json.loads(CliRunner().invoke(main, [*arguments, "--overwrite", "--json"]).stdout)
    assert told["bytes_out"] == (tmp_path / "m.onnx").stat().st_size
