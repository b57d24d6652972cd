"""The verb ``demo``: simulate, convert, train, translate, evaluate, report."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stable_tiles.convert.options import ConvertOptions
from stable_tiles.convert.verb import convert
from stable_tiles.errors import OutputExists
from stable_tiles.evaluate.cells import RoiOptions
from stable_tiles.evaluate.images import correlation
from stable_tiles.evaluate.picture import side_by_side
from stable_tiles.evaluate.report import PAGE, Target
from stable_tiles.evaluate.verb import report_rois
from stable_tiles.image.store import open_image
from stable_tiles.progress import Progress, silent
from stable_tiles.settings import load_settings
from stable_tiles.simulate.plan import SimulateOptions
from stable_tiles.simulate.verb import simulate
from stable_tiles.train.run import TrainOptions, train
from stable_tiles.translate.options import Device, Hardware, TranslateOptions
from stable_tiles.translate.verb import translate

RECORDINGS = ("train/A", "train/B", "test/A", "test/B", "test/nuclei")

NUCLEUS = 11.0
"""Diameter of a simulated nucleus, pixels."""


@dataclass(frozen=True)
class DemoOptions:
    """How much of a demo.

    Parameters
    ----------
    size : int
        Side of the simulated images, pixels.
    seed : int
        Of the simulation and of training.
    overrides : tuple of str
        Settings instead of the ``smoke`` config's, ``section.key=value`` each.
    gpus : int or None
        0 computes on the CPU; a GPU by default where there is one.
    overwrite : bool
        Whether a demo of that name may be replaced.
    """

    size: int = 2048
    seed: int = 0
    overrides: tuple[str, ...] = ()
    gpus: int | None = None
    overwrite: bool = False

    @property
    def device(self) -> Device:
        """The device that `gpus` means."""
        if self.gpus is None:
            return "auto"
        return "cuda" if self.gpus else "cpu"


@dataclass(frozen=True)
class DemoReport:
    """What came out.

    `correlation` is Pearson's between the translation and the truth, over all
    pixels of an image that training has not seen; `identity` the same between
    the input and the truth, which is what doing nothing would reach.  `f1` is
    of the nuclei found in the translation against the true ones, at IoU 0.5;
    `report` the page that shows them.
    """

    output: str
    picture: str
    report: str
    f1: float
    correlation: float
    identity: float
    steps: int
    seconds: dict[str, float]


def demo(
    out: str | Path, options: DemoOptions | None = None, progress: Progress = silent
) -> DemoReport:
    """Go through the whole work once, on simulated calcium imaging.

    Parameters
    ----------
    out : str or Path
        Folder for everything: TIFFs, stores, run, translation, ``demo.png``, ``report``.
    options : DemoOptions, optional
    progress : Progress

    Returns
    -------
    DemoReport

    Raises
    ------
    OutputExists
        If the folder exists and may not be replaced.
    """
    options, folder = options or DemoOptions(), Path(out)
    _make_room(folder, overwrite=options.overwrite)
    seconds: dict[str, float] = {}
    with _timed(seconds, "simulate"):
        simulated = SimulateOptions(options.size, 1, options.seed, file_format="tiff")
        simulate("calcium", folder / "tiff", simulated, progress)
    with _timed(seconds, "convert"):
        stores = {name: _convert(folder, name) for name in RECORDINGS}
    with _timed(seconds, "train"):
        settings = load_settings("smoke", (f"training.seed={options.seed}", *options.overrides))
        domains = [stores["train/A"]], [stores["train/B"]]
        chosen = TrainOptions(device=options.device)
        trained = train(settings, *domains, folder / "run", chosen, progress)
    with _timed(seconds, "translate"):
        translated = folder / "translated.zarr"
        told = TranslateOptions(model=folder / "run", hardware=Hardware(gpus=options.gpus))
        translate(stores["test/A"], translated, told, progress)
    with _timed(seconds, "evaluate"):
        cells = RoiOptions(NUCLEUS, labels_input=stores["test/nuclei"])
        pair = stores["test/B"], translated
        found = report_rois(pair, cells, Target(folder / "report"), progress)
    images = [open_image(path) for path in (stores["test/A"], translated, stores["test/B"])]
    reached = correlation(images[1], images[2])[0]
    side_by_side(folder / "demo.png", images, ("input", f"translation, r = {reached:.3f}", "truth"))
    return DemoReport(
        output=str(folder),
        picture=str(folder / "demo.png"),
        report=str(folder / "report" / PAGE),
        f1=found.f1,
        correlation=reached,
        identity=correlation(images[0], images[2])[0],
        steps=trained.steps,
        seconds=seconds,
    )


def _make_room(folder: Path, *, overwrite: bool) -> None:
    if folder.exists():
        if not overwrite:
            raise OutputExists(f"{folder} exists: give another --out, or --overwrite")
        shutil.rmtree(folder)


def _convert(folder: Path, name: str) -> Path:
    (source,) = (folder / "tiff" / name).iterdir()
    target = folder / f"{name.replace('/', '_')}.zarr"
    convert([source], target, ConvertOptions())
    return target


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[what] = time.perf_counter() - began
