"""Settings: what a config may say, and what a wrong one is told."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from stable_tiles.errors import SettingsError
from stable_tiles.settings import (
    MAX_CONFIG_BYTES,
    RIVALS,
    Settings,
    dump_settings,
    load_settings,
    parse_bytes,
    shipped_configs,
)

CONFIGS = sorted(shipped_configs())
ALIAS = "a: &x 1\nb: *x\n"


def _keys(model: type[BaseModel], path: str = "") -> set[str]:
    """Paths of all keys of a settings model, sections included."""
    found = set()
    for name, field in model.model_fields.items():
        kind, here = field.annotation, f"{path}{name}"
        found.add(here)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= _keys(kind, f"{here}.")
    return found


def _written(tree: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for name, value in tree.items():
        found.add(f"{path}{name}")
        if isinstance(value, dict):
            found |= _written(value, f"{path}{name}.")
    return found


def test_a_config_ships_for_every_task_and_for_the_demo() -> None:
    paper = {"calcium", "dapi", "he", "mri", "penicillium", "planaria"}
    assert set(CONFIGS) >= paper | {"smoke"}


def test_every_config_travels_in_the_wheel() -> None:
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["stable_tiles_configs"]
    packed = {file.stem for pattern in patterns for file in (root / "configs").glob(pattern)}
    assert packed == set(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_shipped_config_is_complete_and_loads(name: str) -> None:
    tree = yaml.safe_load(shipped_configs()[name])
    own = {"stable": {"network", "discriminator", "losses"}, "support": {"support"}}
    of_methods = set.union(*own.values(), RIVALS) - own[tree["method"]]
    of_others = {key for key in _keys(Settings) if key.partition(".")[0] in of_methods}
    assert _written(tree) == _keys(Settings) - of_others, "of rivals, tell in docs/methods.md"
    assert load_settings(name).method == tree["method"]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_key_of_a_shipped_config_is_explained_on_its_line(name: str) -> None:
    for line in shipped_configs()[name].splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip() and not key.startswith(("#", "method")):
            assert " # " in value, line


@pytest.mark.parametrize(
    ("name", "patch", "widths", "features", "norm"),
    [
        ("calcium", 256, (8, 16, 32), 8, "none"),
        ("he", 512, (32, 64, 128, 256), 3, "batch"),
        ("dapi", 256, (32, 64, 128, 256), 8, "batch"),
        ("mri", 256, (32, 64, 128, 256), 3, "batch"),
        ("penicillium", 256, (32, 64, 128, 256), 3, "batch"),
        ("planaria", 64, (32, 64, 128, 256), 3, "batch"),
    ],
)
def test_the_papers_tasks_are_as_in_the_paper(
    name: str, patch: int, widths: tuple[int, ...], features: int, norm: str
) -> None:
    config = load_settings(name)
    assert (config.data.patch, config.data.batch) == (patch, 1)
    network = config.network
    assert (network.widths, network.features, network.norm) == (widths, features, norm)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_dumped_reads_back_equal(name: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(dump_settings(load_settings(name)))
    assert load_settings(file) == load_settings(name)


def test_an_empty_config_is_all_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert load_settings(tmp_path / "empty.yaml") == Settings()


def test_overrides_apply_in_order_and_are_yaml() -> None:
    changes = ["training.steps=5", "training.steps=7", "network.widths=[4, 8]", "training.ema=null"]
    config = load_settings("smoke", changes)
    assert config.training.steps == 7
    assert config.network.widths == (4, 8)
    assert config.training.ema is None


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("training.step=5", "unknown setting training.step; did you mean training.steps?"),
        ("loses.cycle=5", "unknown setting loses; did you mean losses?"),
        ("data.normalize.hihg=5", "did you mean data.normalize.high?"),
        ("training.steps", "write section.key=value"),
        ("=5", "write section.key=value"),
        ("method.name=x", "method is a value, not a section"),
        ("training.steps=[", "the value is not YAML"),
        ("training.steps=0", "training.steps: Input should be greater than or equal to 1 (got 0)"),
        ("data.patch=66", "data.patch 66 must be a multiple of 4"),
        ("data.normalize.low=100", "low 100.0 must be below high"),
        ("data.cache_bytes=many", "'many' is not a size"),
        ("network.widths=[]", "network.widths"),
        ("training.betas=[0.9, 1.0]", "training.betas"),
    ],
)
def test_a_wrong_override_is_one_line_that_says_what_to_do(override: str, line: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings("smoke", [override])
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- a\n", "holds no settings"),
        ("a: [\n", "is not YAML"),
        (ALIAS, "uses YAML aliases"),
        ("!!python/object:os.system {}", "is not YAML"),
        ("#" * (MAX_CONFIG_BYTES + 1), "larger than"),
    ],
)
def test_a_file_that_is_no_config_is_refused_in_one_line(
    text: str, line: str, tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path / "wrong.yaml")
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_a_config_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(SettingsError, match=r"no config nowhere.yaml.*calcium.*smoke"):
        load_settings("nowhere.yaml")


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 2**20), st.sampled_from(["", "k", "M", "g"]), st.sampled_from(["", "B", "iB"])
)
def test_sizes_are_powers_of_1024(number: int, prefix: str, unit: str) -> None:
    unit = unit if prefix or unit != "iB" else ""
    expected = number * 1024 ** ["", "k", "m", "g"].index(prefix.lower())
    assert parse_bytes(f"{number} {prefix}{unit}") == expected


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("method", RIVALS)
def test_every_config_goes_with_every_method(name: str, method: str) -> None:
    config = load_settings(name, [f"method={method}"])
    assert config.rival is not None
    assert config.data.patch % config.architecture.stride == 0


def test_a_complete_config_has_the_methods_own_section_and_those_that_were_written(
    tmp_path: Path,
) -> None:
    changes = ["method=utom", "cut.temperature=0.1"]
    text = dump_settings(load_settings("mri", changes))
    tree = yaml.safe_load(text)
    assert [name for name in tree if name in RIVALS] == ["utom", "cut"]
    assert set(tree["utom"]) > {"saliency", "pool", "learning_rate", "network"}
    (tmp_path / "config.yaml").write_text(text)
    assert load_settings(tmp_path / "config.yaml") == load_settings("mri", changes)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["method=cycle"], "method"),
        (["cyclegan.pol=5"], "unknown setting cyclegan.pol; did you mean cyclegan.pool?"),
        (["munit.network.widht=5"], "did you mean munit.network.width?"),
        (["cyclegn.pool=5"], "did you mean cyclegan?"),
        (["method=cut", "data.patch=66"], "data.patch 66 must be a multiple of 4 for method cut"),
        (["method=munit", "data.patch=32"], "data.patch 32 must be at least 64 for method munit"),
        (["method=utom", "utom.network.downsamplings=8"], "must be a multiple of 256"),
    ],
)
def test_a_wrong_setting_of_a_rival_is_one_line(overrides: list[str], line: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings("smoke", overrides)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("patch", "downsamplings"), [(64, 6), (96, 5), (256, 8), (512, 8), (768, 8)]
)
def test_utom_halves_patches_as_often_as_they_allow_and_eight_times_at_most(
    patch: int, downsamplings: int
) -> None:
    described = load_settings("mri", ["method=utom", f"data.patch={patch}"]).architecture
    assert described.stride == 2**downsamplings


def _told(page: str) -> dict[str, Any]:
    """Settings with their defaults in the tables of a page."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", page, re.MULTILINE)
    return {name: yaml.safe_load(default) for name, default in rows if "." in name}


def test_the_page_of_methods_tells_every_setting_of_a_rival_with_its_default() -> None:
    page = (Path(__file__).parents[1] / "docs" / "methods.md").read_text(encoding="utf-8")
    known = {}
    for name in sorted(key for key in _keys(Settings) if key.partition(".")[0] in RIVALS):
        value: Any = Settings().model_dump(mode="json")
        for part in name.split("."):
            value = value[part]
        if not isinstance(value, dict) and not name.endswith("architecture"):
            known[name] = value
    assert _told(page) == known
