from __future__ import annotations

from pathlib import Path

from stable_tiles.model import load_model
from stable_tiles.model_info import describe, model_info
from stable_tiles.settings import NetworkSettings, Normalization
from tests.translate.scenes import TINY, domain, save_model


def test_a_model_is_described_by_its_own_figures(tmp_path: Path) -> None:
    trained = Normalization(kind="percentile", low=1, high=99, per="channel")
    domains = {"a": domain(1, "uint16", normalization=trained, pixel_size_um=0.5), "b": domain(3)}
    found = model_info(save_model(tmp_path / "run", domains=domains))
    model = load_model(tmp_path / "run")
    assert found == describe(model, "run")
    assert found.network["widths"] == [4, 8]
    assert found.domains["a"].normalization == {
        "kind": "percentile",
        "low": 1,
        "high": 99,
        "per": "channel",
    }
    assert (found.domains["a"].dtype, found.domains["a"].high) == ("uint16", (65535.0,))
    assert (found.domains["b"].channels, found.domains["a"].pixel_size_um) == (3, 0.5)
    assert found.reach == {"a2b": model.reach("a2b"), "b2a": model.reach("b2a")}
    assert found.stride == 2
    assert found.digest == model.digest
    assert found.provenance == {"method": "stable"}


def test_parameters_are_those_a_direction_uses(tmp_path: Path) -> None:
    found = model_info(save_model(tmp_path / "run", domains={"a": domain(1), "b": domain(3)}))
    network = load_model(tmp_path / "run").network
    whole = sum(parameter.numel() for parameter in network.parameters())
    assert found.parameters["a2b"] + found.parameters["b2a"] == whole
    used = [network.get_submodule(name) for name in ("encoder_a", "decoder_b")]
    assert found.parameters["a2b"] == sum(p.numel() for m in used for p in m.parameters())


def test_a_network_without_limit_says_none(tmp_path: Path) -> None:
    settings = TINY.model_copy(update={"norm": "instance"})
    assert isinstance(settings, NetworkSettings)
    found = model_info(save_model(tmp_path / "run", settings))
    assert found.reach == {"a2b": None, "b2a": None}
