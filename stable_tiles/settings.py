"""Settings of a training: what a config file may say, its defaults and its bounds.

Settings are frozen values that cannot be built wrong.  They come from YAML
(safe, at most 1 MB), from the shipped configs by name, and from
``section.key=value`` overrides; an unknown key is refused with the nearest
known one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from stable_tiles.errors import OutputExists, SettingsError
from stable_tiles.rivals import (
    CutSettings,
    CycleganSettings,
    MunitSettings,
    RivalSettings,
    SantaSettings,
    UtomSettings,
)
from stable_tiles.sections import Architecture, Beta, Section, Weight, Widths
from stable_tiles.support import SupportSettings

MethodName = Literal["stable", "cyclegan", "utom", "munit", "santa", "cut", "support"]

RIVALS = ("cyclegan", "utom", "munit", "santa", "cut")
"""Methods that STABLE is compared with, each with a section of its own name."""

MAX_CONFIG_BYTES = 1_000_000
_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_bytes(value: object) -> object:
    """A size such as ``1GiB``, ``512 MB`` or ``1024`` as a number of bytes (powers of 1024)."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?)i?b?\s*", value, re.IGNORECASE)
    if not match:
        raise ValueError(f"{value!r} is not a size such as 512MiB or 1GiB")
    return int(float(match[1]) * _BINARY[match[2].lower()])


Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(gt=0)]


class Normalization(Section):
    """How pixels become numbers near [0, 1].

    ``percentile`` maps the `low` and `high` percentiles (percent) to 0 and 1;
    ``range`` maps the values `low` and `high` themselves (by default the
    dtype's range); ``none`` leaves pixels as they are.  Nothing is clipped.
    """

    kind: Literal["percentile", "range", "none"] = "percentile"
    low: float | None = None
    high: float | None = None
    per: Literal["image", "channel"] = "image"

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Normalization:
        low, high = self.bounds
        if low is not None and high is not None and not low < high:
            raise ValueError(f"low {low} must be below high {high}")
        if self.kind == "percentile" and not (
            low is not None and low >= 0 and high is not None and high <= 100
        ):
            raise ValueError(f"percentiles {low} and {high} must lie in 0..100")
        return self

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """`low` and `high` with the defaults of `kind` filled in."""
        if self.kind == "percentile":
            return (0.1 if self.low is None else self.low, 99.9 if self.high is None else self.high)
        return self.low, self.high


class DataSettings(Section):
    """Patches and how they are drawn."""

    patch: int = Field(256, ge=16, le=4096, description="side of a square patch, pixels")
    batch: int = Field(1, ge=1, description="patches of each domain in a step")
    normalize: Normalization = Normalization()
    augment: bool = Field(True, description="multiples of 90 degrees and flips")
    foreground: float = Field(0.0, ge=0, le=1, description="share of patches drawn from foreground")
    pixel_size_um: float | None = Field(None, gt=0, description="bring both domains to this size")
    cache_bytes: Bytes = Field(2**30, description="bound on decoded pixels kept in memory")
    workers: int = Field(0, ge=0, description="loader threads beside the training thread")
    channels: tuple[int, ...] | None = Field(None, description="channels of the source to use")


class NetworkSettings(Architecture):
    """STABLE's networks: both encoder/decoder pairs."""

    widths: Widths = (32, 64, 128, 256)
    features: int = Field(3, ge=1, description="channels of the shared feature map")
    norm: Literal["batch", "none", "instance"] = "batch"
    upsampling: Literal["dynamic", "bilinear", "deformable"] = "dynamic"
    feature_scale: Literal[1, 2, 4, 8, 16] = Field(1, description="feature map at 1/N resolution")
    demodulate: bool = True

    @property
    def stride(self) -> int:
        """A step down for each width after the first."""
        return 1 << (len(self.widths) - 1)

    @property
    def live_values(self) -> int:
        """Five maps as wide as the first level in the last step up, and what is kept free."""
        return 8 * self.widths[0] + 2 * self.features + 8

    @property
    def widest(self) -> int:
        """Both joined maps of the last step up, and their padding."""
        return 4 * self.widths[0]


class DiscriminatorSettings(Section):
    """Both LSGAN discriminators of STABLE."""

    widths: Widths = (64, 128, 256)
    scales: int = Field(1, ge=1, le=4)
    norm: Literal["batch", "none", "instance"] = "batch"


class LossSettings(Section):
    """Weights of STABLE's loss terms; the total is their weighted sum."""

    adversarial: Weight = Field(1.0, description="weight: a discriminator takes it for real")
    information: Weight = Field(10.0, description="weight: both have one feature map")
    cycle: Weight = Field(5.0, description="weight: the way back restores the image")
    cycle_growth_steps: int | None = Field(None, ge=1, description="sigmoid growth over N steps")
    stop_gradient: Literal["official", "symmetric", "none"] = "official"
    equivariant: bool = Field(
        False, description="turn translations at random before they are translated back"
    )


class TrainingSettings(Section):
    """The loop."""

    steps: int = Field(100_000, ge=1)
    learning_rate: float = Field(3e-4, gt=0)
    discriminator_learning_rate: float | None = Field(
        None, gt=0, description="of the discriminators, where it differs"
    )
    decay_steps: int | None = Field(
        None, ge=1, description="last steps, over which the rates fall linearly to nothing"
    )
    weight_decay: float = Field(0.0, ge=0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    ema: float | None = Field(None, gt=0, lt=1, description="decay of averaged generators")
    precision: Literal["auto", "32", "bf16"] = "auto"
    accumulate: int = Field(1, ge=1, description="parts a step's batch is computed in, in turn")
    compile: bool = Field(False, description="compile the networks")
    deterministic: bool = Field(False, description="refuse what gives other bits each time")
    seed: int = Field(0, ge=0)
    log_every: int = Field(100, ge=1)
    preview_every: int = Field(1000, ge=1)
    validate_every: int = Field(5000, ge=1)
    checkpoint_every: int = Field(1000, ge=1)
    keep_checkpoints: int = Field(3, ge=1)


class Settings(Section):
    """Everything that a config file can say.

    `network`, `discriminator`, `losses` and the optimisers' keys of `training`
    are STABLE's; a rival has all of that in the section of its own name, and
    sections of methods other than `method` count for nothing.
    """

    method: MethodName = "stable"
    data: DataSettings = DataSettings()
    network: NetworkSettings = NetworkSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
    losses: LossSettings = LossSettings()
    training: TrainingSettings = TrainingSettings()
    cyclegan: CycleganSettings = CycleganSettings()
    utom: UtomSettings = UtomSettings()
    munit: MunitSettings = MunitSettings()
    santa: SantaSettings = SantaSettings()
    cut: CutSettings = CutSettings()
    support: SupportSettings = SupportSettings()

    @property
    def rival(self) -> RivalSettings | None:
        """The section of the method's own name; None for STABLE and for the denoiser."""
        return getattr(self, self.method) if self.method in RIVALS else None

    @property
    def one_domain(self) -> bool:
        """Whether the method learns from images of one domain alone, as the denoiser does."""
        return self.method == "support"

    @property
    def architecture(self) -> Architecture:
        """What the method's networks are made of."""
        if self.method == "utom":
            return self.utom.network.resolved(self.data.patch)
        section = self if self.method == "stable" else getattr(self, self.method)
        described: Architecture = section.network
        return described

    @property
    def others(self) -> set[str]:
        """Sections of other methods, which no training of this one reads."""
        return {*RIVALS, "support"} - {self.method}

    @model_validator(mode="after")
    def _batch_in_equal_parts(self) -> Settings:
        batch, parts = self.data.batch, self.training.accumulate
        if batch % parts:
            raise ValueError(
                f"data.batch {batch} must be a multiple of training.accumulate {parts}"
            )
        return self

    @model_validator(mode="after")
    def _patch_fits_network(self) -> Settings:
        patch, stride = self.data.patch, self.architecture.stride
        why = (
            f"{len(self.network.widths)} widths"
            if self.method == "stable"
            else f"method {self.method}"
        )
        if patch % stride:
            raise ValueError(f"data.patch {patch} must be a multiple of {stride} for {why}")
        if self.rival is not None and patch < self.rival.least_patch:
            raise ValueError(
                f"data.patch {patch} must be at least {self.rival.least_patch} for {why}"
            )
        return self


def shipped_configs() -> dict[str, str]:
    """Texts of the shipped configs by name (``calcium``, ``he``, ...)."""
    folder = resources.files("stable_tiles_configs")
    found = (entry for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return {entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8") for entry in found}


def load_settings(config: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Settings from a file or the name of a shipped config.

    Parameters
    ----------
    config : str or Path
        A YAML file, or a shipped config's name.
    overrides : sequence of str
        ``section.key=value`` each, applied in order; values are YAML.

    Raises
    ------
    SettingsError
        No such config, YAML that cannot be read, or settings that are wrong.
    """
    tree = _read_yaml(_config_text(config), str(config))
    for override in overrides:
        _override(tree, override)
    return parse_settings(tree, str(config))


def write_config(name: str, path: Path, *, overwrite: bool = False) -> Path:
    """Write a shipped config, comments and all, to a file of the user's own.

    Raises
    ------
    SettingsError
        If no config of that name is shipped.
    OutputExists
        If the file exists and may not be replaced.
    """
    shipped = shipped_configs()
    if name not in shipped:
        names = sorted(shipped)
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise SettingsError(f"no config {name}: {hint}There are {', '.join(names)}")
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} exists: give another name, or --overwrite")
    path.write_text(shipped[name], encoding="utf-8")
    return path


def parse_settings(tree: dict[str, Any], where: str) -> Settings:
    """Settings from parsed YAML or JSON; `where` names the origin in errors."""
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_explain(error, where)) from None


def dump_settings(settings: Settings) -> str:
    """The settings as YAML that `load_settings` reads back to equal settings."""
    return yaml.safe_dump(dump_tree(settings), sort_keys=False)


def dump_tree(
    settings: Settings, leave_out: Mapping[str, AbstractSet[str]] | None = None
) -> dict[str, Any]:
    """The settings that count, as a tree of JSON values.

    Sections of other methods that nobody has written are left out.

    Parameters
    ----------
    settings : Settings
    leave_out : mapping of str to set of str, optional
        Keys to leave out, by section.
    """
    excluded: dict[str, Any] = {name: set(keys) for name, keys in (leave_out or {}).items()}
    excluded |= dict.fromkeys(settings.others - settings.model_fields_set, True)
    return settings.model_dump(mode="json", exclude=excluded)


def _config_text(config: str | Path) -> str:
    shipped = shipped_configs()
    if str(config) in shipped:
        return shipped[str(config)]
    path = Path(config)
    if not path.is_file():
        names = ", ".join(sorted(shipped))
        raise SettingsError(f"no config {config}: give a YAML file or one of {names}")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise SettingsError(
            f"config {config} is larger than {MAX_CONFIG_BYTES} bytes: not a config"
        )
    return path.read_text(encoding="utf-8", errors="replace")


def _read_yaml(text: str, where: str) -> dict[str, Any]:
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise SettingsError(f"config {where} uses YAML aliases: write the values out")
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = " ".join(str(error).split())
        raise SettingsError(f"config {where} is not YAML: {line}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SettingsError(
            f"config {where} holds no settings: expected sections such as training:"
        )
    return tree


def _override(tree: dict[str, Any], override: str) -> None:
    path, found, value = override.partition("=")
    if not found or not path:
        raise SettingsError(
            f"--set {override}: write section.key=value, such as training.steps=2000"
        )
    *sections, key = path.split(".")
    node = tree
    for section in sections:
        node = node.setdefault(section, {})
        if not isinstance(node, dict):
            raise SettingsError(f"--set {override}: {section} is a value, not a section")
    try:
        node[key] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise SettingsError(f"--set {override}: the value is not YAML") from None


def _explain(error: ValidationError, where: str) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"config {where}: unknown setting {path}{_nearest(first['loc'])}"
    message = str(first["msg"]).removeprefix("Value error, ")
    got = "" if isinstance(first["input"], dict | Section) else f" (got {first['input']!r})"
    return f"config {where}: {path + ': ' if path else ''}{message}{got}"


def _nearest(location: Sequence[int | str]) -> str:
    model: type[BaseModel] = Settings
    for part in location[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        model = annotation
    known = list(model.model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {'.'.join([*map(str, location[:-1]), near[0]])}?"
    return f"; known here: {', '.join(known)}"
