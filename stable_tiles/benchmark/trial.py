"""One training of one variant: trained, translated, measured; each stage goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stable_tiles.benchmark.data import DataSet
from stable_tiles.benchmark.measure import measure, roi_options
from stable_tiles.benchmark.paper import study
from stable_tiles.benchmark.pictures import followed, matched, plain
from stable_tiles.benchmark.plan import Trial
from stable_tiles.document import document
from stable_tiles.errors import FingerprintMismatch
from stable_tiles.evaluate.cells import Comparison
from stable_tiles.evaluate.views import png
from stable_tiles.hold import Hold
from stable_tiles.image.store import open_image
from stable_tiles.model_info import model_info
from stable_tiles.progress import Progress
from stable_tiles.train.device import DeviceName
from stable_tiles.train.run import TrainOptions, train
from stable_tiles.translate.options import Hardware, TranslateOptions
from stable_tiles.translate.verb import translate_all

MEASURED, TIMES = "measured.json", "times.json"
PICTURE, TRACE = "picture.png", "trace.png"


@dataclass(frozen=True)
class Work:
    """All that a process needs to know to do a trial.

    Parameters
    ----------
    trial : Trial
    task : str
    data : DataSet
    folder : Path
        Of the trial alone.
    device : DeviceName
    """

    trial: Trial
    task: str
    data: DataSet
    folder: Path
    device: DeviceName

    @property
    def finished(self) -> bool:
        """Whether it was measured before, with the same settings."""
        return self._measured_with == self.trial.digest

    def refuse_other_settings(self) -> None:
        """Refuse to do again what was measured with other settings.

        Raises
        ------
        FingerprintMismatch
            If it was.
        """
        if self._measured_with not in (None, self.trial.digest):
            raise FingerprintMismatch(
                f"{self.folder} was done with other settings: repeat every --set of the first "
                "command with --resume, start again with --overwrite, or give another --out"
            )

    @property
    def _measured_with(self) -> str | None:
        found = read_json(self.folder / MEASURED)
        return None if found is None else found.get("settings")


def do(work: Work, progress: Progress) -> None:
    """Do what is left of a trial; its figures are written last.

    Raises
    ------
    StableTilesError
        As `train`, `translate_all` and the evaluation do; what was done stays.
    """
    if work.finished:
        return
    work.folder.mkdir(parents=True, exist_ok=True)
    hold = Hold(work.folder)
    hold.take()
    try:
        _do(work, _named(work.trial.key, progress))
    finally:
        hold.release()


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object that was written as a whole; None where there is none."""
    if not path.is_file():
        return None
    tree = json.loads(path.read_text(encoding="utf-8"))
    return tree if isinstance(tree, dict) else None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody meets half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _do(work: Work, progress: Progress) -> None:
    run = work.folder / "run"
    sources, targets = work.data.share(work.trial.variant.share)
    options = TrainOptions(device=work.device, existing="resume")
    trained = train(work.trial.settings, sources, targets, run, options, progress)
    outputs = [work.folder / "translated" / scene.name for scene in work.data.scenes]
    made = translate_all(
        list(zip((scene.source for scene in work.data.scenes), outputs, strict=True)),
        TranslateOptions(model=run, hardware=Hardware(device=work.device), resume=True),
        progress,
    )
    found, comparison = measure(study(work.task), work.data.scenes, outputs, progress)
    _draw(work, outputs[0], comparison)
    seconds = {"train": trained.seconds, "translate": made.seconds}
    times = {"seconds": seconds, "steps": trained.steps - trained.resumed_from}
    write_whole(work.folder / TIMES, document(times).encode())
    figures = {
        "settings": work.trial.digest,
        "device": trained.device,
        "precision": trained.precision,
        "parameters": model_info(run).parameters["a2b"],
        **asdict(found),
    }
    write_whole(work.folder / MEASURED, document(figures).encode())
    shutil.rmtree(run / "checkpoints", ignore_errors=True)


def _draw(work: Work, translated: Path, comparison: Comparison | None) -> None:
    """Pictures of the first scene."""
    scene, cells = work.data.scenes[0], study(work.task).cells
    if comparison is None or cells is None:
        write_whole(work.folder / PICTURE, png(plain(open_image(translated))))
        return
    write_whole(work.folder / PICTURE, matched(open_image(scene.source), comparison))
    trace = followed(comparison, roi_options(scene, cells))
    if trace:
        write_whole(work.folder / TRACE, trace)


def _named(key: str, progress: Progress) -> Progress:
    def told(what: str, done: int, total: int) -> None:
        progress(f"{key}: {what}", done, total)

    return told
