"""RUN: the folder of a training, its files by name, and who may write into it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stable_tiles.errors import InputError, OutputExists
from stable_tiles.settings import Settings, dump_settings
from stable_tiles.train.split import Split

Existing = Literal["refuse", "overwrite", "resume"]


@dataclass(frozen=True)
class RunFolder:
    """The places inside one run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved settings, complete."""
        return self.path / "config.yaml"

    @property
    def split(self) -> Path:
        """Which part of which store belongs to which domain."""
        return self.path / "split.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def log(self) -> Path:
        """A JSON line for every logged step."""
        return self.path / "log.jsonl"

    @property
    def page(self) -> Path:
        """The page that shows how the training goes."""
        return self.path / "report.html"

    @property
    def previews(self) -> Path:
        """Folder of the preview images."""
        return self.path / "previews"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.path / "tensorboard"

    def check(self, existing: Existing) -> None:
        """Refuse what must not be touched; changes nothing.

        Raises
        ------
        OutputExists
            If the folder exists and is neither to be resumed nor overwritten.
        InputError
            If it is to be resumed or overwritten and is not a run.
        """
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        if existing == "refuse":
            raise OutputExists(
                f"{self.path} exists: give another --out, --resume to go on with it, or --overwrite"
            )
        if not self.config.is_file():
            raise InputError(f"{self.path} is not a run (no config.yaml): give another --out")

    def remove(self) -> None:
        """Remove an older run, if there is one."""
        if self.path.exists():
            shutil.rmtree(self.path)

    def write_config(self, settings: Settings) -> None:
        """Write the resolved settings; makes the folder where there is none."""
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.config.with_suffix(".partial")
        partial.write_text(dump_settings(settings), encoding="utf-8")
        os.replace(partial, self.config)

    def write_split(self, split: Split) -> None:
        """Write which part of which store belongs to which domain."""
        partial = self.split.with_suffix(".partial")
        partial.write_text(json.dumps(split.to_json(), indent=1) + "\n", encoding="utf-8")
        os.replace(partial, self.split)
