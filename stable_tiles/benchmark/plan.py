"""What is compared: methods, ablations and sweeps, each as settings to be trained over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from stable_tiles.benchmark.paper import RIVALS_SHOWN, TUNED_SUFFIX, Study, study
from stable_tiles.errors import InputError
from stable_tiles.ledger import digest_of
from stable_tiles.methods.ablations import ABLATIONS, SWEEPS
from stable_tiles.methods.tuned import TUNED
from stable_tiles.settings import RIVALS, Settings, dump_tree, load_settings
from stable_tiles.simulate.plan import SimulateOptions
from stable_tiles.train.device import DeviceName

Sweep = Literal["features", "weights", "data"]

SHARES = (100, 75, 50, 25, 10, 5)
"""Percents of the training images in the sweep over data."""

KNOWN = ("stable", *RIVALS)


@dataclass(frozen=True)
class BenchmarkOptions:
    """What to compare, and how much of it.

    Parameters
    ----------
    methods : tuple of str
        Of `train`.
    tuned : bool
        Rivals also with the settings that were found for the task, where there are any.
    ablation : bool
        STABLE's ablations and variants too.
    sweeps : tuple of {"features", "weights", "data"}
        The supplement's sweeps over STABLE's settings, or over shares of the training images.
    steps : int or None
        Of every training; the config's by default.
    seeds : int
        Trainings of each, with seeds that count up from `seed`.
    seed : int
        The first; also of simulated data.
    config : str or None
        What all methods take their data and loop from; the task's by default.
    overrides : tuple of str
        Settings instead of the config's, ``section.key=value``.
    data : Path or None
        Images laid out as `simulate` does; None simulates them.
    size, count, frames : int
        Of simulated images; None takes the study's frames.
    workers : int
        Trainings at once, a process each.
    device : {"auto", "cpu", "cuda", "mps"}
    existing : {"refuse", "resume", "overwrite"}
        What to do about a finished benchmark; an unfinished one is gone on with.
    dry_run : bool
        Only say what would be done.

    Raises
    ------
    InputError
        If a name is unknown or a number out of range.
    """

    methods: tuple[str, ...] = RIVALS_SHOWN
    tuned: bool = False
    ablation: bool = False
    sweeps: tuple[Sweep, ...] = ()
    steps: int | None = None
    seeds: int = 3
    seed: int = 0
    config: str | None = None
    overrides: tuple[str, ...] = ()
    data: Path | None = None
    size: int = 512
    count: int = 8
    frames: int | None = None
    workers: int = 1
    device: DeviceName = "auto"
    existing: Literal["refuse", "resume", "overwrite"] = "refuse"
    dry_run: bool = False

    def __post_init__(self) -> None:
        for name, known in (("methods", KNOWN), ("sweeps", get_args(Sweep))):
            wrong = [word for word in getattr(self, name) if word not in known]
            if wrong:
                option = f"--{name.removesuffix('s') if name == 'sweeps' else name}"
                raise InputError(f"{option}: no {wrong[0]!r}, use {', '.join(known)}")
        if len(set(self.methods)) < len(self.methods):
            raise InputError(f"--methods names one twice: {','.join(self.methods)}")
        if not (self.methods or self.ablation or self.sweeps):
            raise InputError("--methods is empty: name one, or give --ablation or --sweep")
        for name in ("seeds", "workers"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} {getattr(self, name)} is below 1")

    def simulation(self, task: str) -> SimulateOptions:
        """The data that is simulated where none is given."""
        frames = self.frames or study(task).frames
        return SimulateOptions(self.size, self.count, self.seed, frames)


@dataclass(frozen=True)
class Variant:
    """One thing that is compared.

    Parameters
    ----------
    name : str
    group : str
        ``methods``, ``ablation``, or the sweep it belongs to.
    overrides : tuple of str
        Its settings.
    share : float
        Of the training images, 0..1.
    """

    name: str
    group: str
    overrides: tuple[str, ...]
    share: float = 1.0


@dataclass(frozen=True)
class Trial:
    """One training of one variant.

    Parameters
    ----------
    variant : Variant
    seed : int
    settings : Settings
        Complete.
    """

    variant: Variant
    seed: int
    settings: Settings

    @property
    def key(self) -> str:
        """Name of its folder."""
        return f"{self.variant.name}-{self.seed}"

    @property
    def digest(self) -> str:
        """What tells it from trials that come to another result."""
        return digest_of([dump_tree(self.settings), self.variant.share])


@dataclass(frozen=True)
class Plan:
    """All that is done.

    Parameters
    ----------
    variants : tuple of Variant
        As asked for.
    trials : tuple of Trial
        What has to be trained, all variants with one seed before the next seed.
    same : dict of str to str
        Variants whose settings are those of another one, and which: trained once.
    """

    variants: tuple[Variant, ...]
    trials: tuple[Trial, ...]
    same: dict[str, str] = field(default_factory=dict)


def variants(task: str, options: BenchmarkOptions) -> tuple[Variant, ...]:
    """Everything that is compared, in the order of tables.

    Raises
    ------
    InputError
        If tuned rivals are asked for and no settings were found for them.
    """
    stable = ("method=stable",)
    found = [Variant(name, "methods", (f"method={name}",)) for name in options.methods]
    if options.tuned:
        found += _tuned(task, options.methods)
    if options.ablation:
        found += [
            Variant(name, "ablation", (*stable, *changes)) for name, changes in ABLATIONS.items()
        ]
    for sweep in dict.fromkeys(options.sweeps):
        if sweep == "data":
            found += [Variant(f"data-{s}", "data", stable, s / 100) for s in SHARES]
        else:
            found += [
                Variant(name, sweep, (*stable, *changes))
                for name, changes in SWEEPS.items()
                if name.startswith("features") == (sweep == "features")
            ]
    return tuple(found)


def _tuned(task: str, methods: Sequence[str]) -> list[Variant]:
    """Rivals by the settings found for them."""
    known = TUNED.get(task, {})
    found = [
        Variant(f"{name}{TUNED_SUFFIX}", "methods", (f"method={name}", *known[name]))
        for name in methods
        if name in known
    ]
    if not found:
        some = "; ".join(f"{other}: {', '.join(names)}" for other, names in TUNED.items())
        raise InputError(f"--tuned: no settings were found for these of {task}, but for {some}")
    return found


def plan(task: str, options: BenchmarkOptions, utom: Sequence[str] = ()) -> Plan:
    """Every training of a benchmark.

    Parameters
    ----------
    task : str
    options : BenchmarkOptions
    utom : sequence of str
        What UTOM is told of the data; the user's own settings count more.

    Raises
    ------
    SettingsError
        If the config or an override is wrong.
    """
    wanted = variants(task, options)
    first = [Trial(v, options.seed, settings(task, options, v, utom)) for v in wanted]
    named: dict[str, str] = {}
    for trial in first:
        named.setdefault(trial.digest, trial.variant.name)
    same = {
        trial.variant.name: named[trial.digest]
        for trial in first
        if named[trial.digest] != trial.variant.name
    }
    trained = [trial for trial in first if trial.variant.name not in same]
    trials = tuple(
        replace(trial, seed=seed, settings=_seeded(trial.settings, seed))
        for seed in range(options.seed, options.seed + options.seeds)
        for trial in trained
    )
    return Plan(wanted, trials, same)


def settings(
    task: str, options: BenchmarkOptions, variant: Variant | None = None, utom: Sequence[str] = ()
) -> Settings:
    """Settings of a variant (of the config alone where there is none), with the first seed.

    Without those of other methods: a rival may join later, with settings of its own.
    """
    steps = [] if options.steps is None else [f"training.steps={options.steps}"]
    loaded = load_settings(
        options.config or task,
        [
            *(utom if variant and "method=utom" in variant.overrides else ()),
            *options.overrides,
            *(variant.overrides if variant else ()),
            *steps,
            f"training.seed={options.seed}",
            "training.keep_checkpoints=1",
        ],
    )
    own = loaded.model_dump(exclude=loaded.others, exclude_unset=True)
    return Settings.model_validate(own)


def fingerprint(task: str, options: BenchmarkOptions, data: str) -> dict[str, str]:
    """What a benchmark that is gone on with must share with its beginning."""
    tree = dump_tree(settings(task, options), {"training": {"steps", "seed", "keep_checkpoints"}})
    return {
        "TASK": task,
        "--config or --set": digest_of(tree),
        "--steps": str(settings(task, options).training.steps),
        "--data": data,
    }


def check_shares(options: BenchmarkOptions, images: int) -> None:
    """Refuse a sweep over shares of so few images that two shares are one."""
    least = 100 // SHARES[-1]
    if "data" in options.sweeps and images < least:
        raise InputError(
            f"--sweep data: {SHARES[-1]} % of {images} training images is less than one: "
            f"use {least} or more (--count {least})"
        )


def saliency(study: Study, thresholds: tuple[float, float]) -> tuple[str, ...]:
    """What UTOM is told: grey values (0..255) that part objects from their ground, and polarity."""
    a, b = thresholds
    return (*study.utom, f"utom.threshold_a={a:.1f}", f"utom.threshold_b={b:.1f}")


def _seeded(settings: Settings, seed: int) -> Settings:
    training = settings.training.model_copy(update={"seed": seed})
    return settings.model_copy(update={"training": training})
