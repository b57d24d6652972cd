"""The folder of a benchmark: what lies where, who may write it, what it was begun with."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_tiles.benchmark import trial
from stable_tiles.benchmark.measure import Measured, from_json
from stable_tiles.benchmark.plan import BenchmarkOptions, Trial
from stable_tiles.document import document
from stable_tiles.errors import OutputExists
from stable_tiles.evaluate.report import PAGE
from stable_tiles.hold import Hold
from stable_tiles.ledger import Ledger
from stable_tiles.usage import cores


@dataclass(frozen=True)
class Folder:
    """The places inside."""

    path: Path

    @property
    def results(self) -> Path:
        """The document; there when the benchmark is finished."""
        return self.path / "results.json"

    @property
    def page(self) -> Path:
        """The report."""
        return self.path / PAGE

    @property
    def times(self) -> Path:
        """How long what took, and on which machine."""
        return self.path / "times.json"

    @property
    def data(self) -> Path:
        """Simulated images."""
        return self.path / "data"

    def trial(self, one: Trial) -> Path:
        """The folder of a training."""
        return self.path / "trials" / one.key

    def baseline(self, name: str) -> Path:
        """The figures of what needs no training."""
        return self.path / "trials" / f"{name}.json"

    def refuse(self, options: BenchmarkOptions, marks: Mapping[str, str]) -> None:
        """Refuse what must not be touched, or does not go together; changes nothing.

        Raises
        ------
        OutputExists
            If the folder holds a finished benchmark and nothing says what to do, or no benchmark.
        FingerprintMismatch
            If it was begun with something else.
        """
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        if not Ledger(self.path).exists:
            raise OutputExists(f"{self.path} exists and is no benchmark: give another --out")
        if options.existing == "overwrite":
            return
        Ledger(self.path).check(marks)
        if self.results.exists() and options.existing == "refuse":
            raise OutputExists(
                f"{self.path} holds a finished benchmark: --resume to add methods or seeds, "
                "--overwrite to start again, or another --out"
            )

    @contextmanager
    def held(self, options: BenchmarkOptions, marks: Mapping[str, str]) -> Iterator[None]:
        """Have the folder alone, begun; emptied before where it is overwritten."""
        self.path.mkdir(parents=True, exist_ok=True)
        hold = Hold(self.path)
        hold.take()
        try:
            if options.existing == "overwrite":
                self._empty()
            if not Ledger(self.path).exists:
                Ledger(self.path).begin(marks)
            yield
        finally:
            hold.release()

    def write(self, place: Path, text: str) -> None:
        """Write a file so that nobody meets half of it."""
        trial.write_whole(place, text.encode())

    def times_of(self, trials: list[Trial], workers: int) -> dict[str, Any]:
        """Seconds of every training in its last session, and the machine."""
        known = {one.key: trial.read_json(self.trial(one) / trial.TIMES) for one in trials}
        return {
            "machine": f"{platform.system()} {platform.machine()}, {cores()} cores",
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
            "workers": workers,
            "trainings": {key: tree for key, tree in known.items() if tree},
        }

    def measured_baseline(self, name: str) -> Measured | None:
        """What was measured before without any training."""
        tree = trial.read_json(self.baseline(name))
        return None if tree is None else from_json(tree)

    def keep_baseline(self, name: str, measured: Measured) -> None:
        """Remember what was measured without any training."""
        self.baseline(name).parent.mkdir(exist_ok=True)
        self.write(self.baseline(name), document(measured))

    def _empty(self) -> None:
        for name in ("trials", "data", "receipts"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for place in (self.results, self.page, self.times, self.path / "fingerprint.json"):
            place.unlink(missing_ok=True)
