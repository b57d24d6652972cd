"""What a training is asked for beyond its settings, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stable_tiles.train.device import DeviceName
from stable_tiles.train.domains import Stores
from stable_tiles.train.folder import Existing


@dataclass(frozen=True)
class TrainOptions:
    """How to train, apart from what: nothing here changes the model.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
    processes : int
        Processes that train together: one for each GPU, or so many on the CPU.
    existing : {"refuse", "overwrite", "resume"}
        What to do with a run that exists; `resume` also starts one that does not.
    dry_run : bool
        Check data and settings and measure, but write nothing.
    split : bool
        The stores are pairs, to be divided between the domains.
    val_sources, val_targets : sequence of paths
        Held-out images of both domains.
    skip_bad : bool
        Go on without stores that cannot be used and blocks that cannot be
        read; each is logged and counted.
    """

    device: DeviceName = "auto"
    processes: int = 1
    existing: Existing = "refuse"
    dry_run: bool = False
    split: bool = False
    val_sources: Stores = ()
    val_targets: Stores = ()
    skip_bad: bool = False


@dataclass(frozen=True)
class TrainReport:
    """What was trained, or would be.

    `parameters` counts both directions of the translator; `reach` is in
    pixels by direction (None: no limit); `split` says which part of which
    store belongs to which domain (see `Split`); `reuse` is the number of
    patches that each decoded block serves (the larger of both domains);
    `skipped` counts bad blocks and stores; rates are of this call and count patches
    of both domains; `losses` are the means of the last logged steps, empty
    where no step was taken.
    """

    run: str
    method: str
    device: str
    processes: int
    precision: str
    parameters: int
    reach: dict[str, int | None]
    stride: int
    steps: int
    resumed_from: int
    losses: dict[str, float]
    split: dict[str, Any]
    reuse: int
    skipped: int
    seconds: float
    steps_per_second: float
    patches_per_second: float
    dry_run: bool
