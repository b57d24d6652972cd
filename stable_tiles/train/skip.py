"""Bad data that a training went on without: one line in its log and one warning each.

Lines name the step whose patches met the fault first, so that they are the
same for any number of loader threads, and after a resume.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from itertools import chain

from stable_tiles.train.faults import Fault
from stable_tiles.train.patches import distinct
from stable_tiles.train.training import Training

DOMAINS = ("a", "b")


def start_skipping(training: Training, left_out: Iterable[Fault], first: int) -> None:
    """Log the stores that are left out, and forget faults that this run has logged before."""
    known: dict[str, list[Fault]] = {name: [] for name in (*DOMAINS, "store")}
    for line in _lines(training):
        known[line["domain"]].append(Fault.from_json(line))
    for name, patches in zip(DOMAINS, distinct(training.data), strict=False):
        patches.faults.forget(known[name])
    for fault in left_out:
        if fault not in known["store"]:
            _log(training, first, "store", fault)


def log_skipped(training: Training, step: int) -> None:
    """Log the bad blocks that the patches of the steps up to `step` met first."""
    made = step * training.settings.data.batch
    for name, patches in zip(DOMAINS, distinct(training.data), strict=False):
        found = patches.faults.due(made)
        if patches.skip_bad:
            # every process meets faults of its own patches; one may meet another's again
            found = list(dict.fromkeys(chain.from_iterable(training.peers.gather(found))))
            patches.faults.forget(found)
        for fault in found:
            _log(training, step, name, fault)


def count_skipped(training: Training) -> int:
    """Bad blocks and stores that the run was trained without, earlier parts of it included."""
    return len(_lines(training))


def _log(training: Training, step: int, domain: str, fault: Fault) -> None:
    training.log.append({"step": step, "skipped": {"domain": domain, **fault.to_json()}})
    warnings.warn(f"skipped {fault}", UserWarning, stacklevel=1)


def _lines(training: Training) -> list[dict[str, str]]:
    if not training.run.log.exists():
        return []
    lines = map(json.loads, training.run.log.read_text(encoding="utf-8").splitlines())
    return [line["skipped"] for line in lines if "skipped" in line]
