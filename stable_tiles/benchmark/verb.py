"""The verb ``benchmark``: data, trainings, translations and figures of a task of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from stable_tiles.benchmark import trial
from stable_tiles.benchmark.crew import done
from stable_tiles.benchmark.data import DataSet, described, find_data
from stable_tiles.benchmark.folder import Folder
from stable_tiles.benchmark.measure import Measured, from_json, measure
from stable_tiles.benchmark.page import Pictures, benchmark_page
from stable_tiles.benchmark.paper import Study, study
from stable_tiles.benchmark.pictures import plain
from stable_tiles.benchmark.plan import (
    BenchmarkOptions,
    Plan,
    check_shares,
    fingerprint,
    plan,
    saliency,
    settings,
)
from stable_tiles.benchmark.results import Found, Results, results
from stable_tiles.benchmark.saliency import threshold
from stable_tiles.document import document
from stable_tiles.errors import Interrupted, WorkFailed, first_line
from stable_tiles.evaluate.views import png
from stable_tiles.image.store import open_image
from stable_tiles.ledger import digest_of
from stable_tiles.progress import Progress, silent
from stable_tiles.provenance import versions
from stable_tiles.simulate.verb import simulate


@dataclass(frozen=True)
class BenchmarkReport:
    """What came out, or with `dry_run` what would be done.

    Parameters
    ----------
    output, report, results : str
        The folder, the page and the document.
    task : str
    trainings, finished : int
        How many there are, and how many of them were done before.
    steps, images_seen : int
        Of every training; images of either domain.
    verdicts : dict of str to str
        Whether orders are the paper's.
    medians : dict of str to dict of str to float
        By variant and metric.
    simulated_bytes, simulation_memory_bytes : int
        Raw pixels of data that has to be simulated, and memory for that; 0 for given data.
    translated_bytes : int
        Raw pixels of all translations.
    dry_run : bool
    """

    output: str
    report: str
    results: str
    task: str
    trainings: int
    finished: int
    steps: int
    images_seen: int
    verdicts: dict[str, str] = field(default_factory=dict)
    medians: dict[str, dict[str, float]] = field(default_factory=dict)
    simulated_bytes: int = 0
    simulation_memory_bytes: int = 0
    translated_bytes: int = 0
    dry_run: bool = False


def benchmark(
    task: str,
    out: str | Path,
    options: BenchmarkOptions | None = None,
    progress: Progress = silent,
) -> BenchmarkReport:
    """Train, translate and judge several methods on one data set.

    Parameters
    ----------
    task : str
        One of the paper's.
    out : path
        Folder of everything: ``results.json``, ``report.html``, ``times.json``,
        ``data`` where it is simulated, and a folder a training in ``trials``.
    options : BenchmarkOptions, optional
    progress : Progress
        Told of simulation, and of every training by its name.

    Returns
    -------
    BenchmarkReport

    Raises
    ------
    InputError
        If anything does not fit, before work starts.
    OutputExists
        If `out` holds a finished benchmark that is neither to be gone on with nor
        overwritten, or something else.
    FingerprintMismatch
        If it was begun with another task, config, number of steps, or data, or a training was
        done with other settings.
    WorkFailed
        If trainings failed; all others are in the results.
    Interrupted
        After SIGINT or SIGTERM; the same call goes on.

    Notes
    -----
    ``results.json`` is the same bytes every time on CPUs with one number of
    threads, however often it was interrupted and however many trainings ran at
    once.  On GPUs trainings differ from time to time.
    """
    options, folder = options or BenchmarkOptions(), Folder(Path(out))
    work = _Work(task, study(task), options, folder)
    marks = fingerprint(task, options, work.data_mark())
    folder.refuse(options, marks)
    if options.dry_run:
        return work.rehearse()
    try:
        with folder.held(options, marks):
            return work.run(progress)
    except KeyboardInterrupt:
        raise Interrupted("interrupted: run the same command again to go on") from None


@dataclass(frozen=True)
class _Work:
    """One call of the verb."""

    task: str
    study: Study
    options: BenchmarkOptions
    folder: Folder

    def data_mark(self) -> str:
        """What tells the data from others before they are there."""
        if self.options.data is None:
            check_shares(self.options, self.options.count)
            return digest_of(asdict(self.options.simulation(self.task)))
        data = find_data(self.options.data, self.study)
        check_shares(self.options, min(len(data.a), len(data.b)))
        return data.digest

    def rehearse(self) -> BenchmarkReport:
        """What would be done."""
        data = self._known_data()
        begun = self.options.existing != "overwrite" and self.folder.path.exists()
        planned = plan(self.task, self.options, self._saliency(data) if begun else ())
        trials, finished = len(planned.trials), 0
        if data and begun:
            finished = sum(work.finished for work in self._works(planned, data))
        if data is None:
            rehearsed = replace(self.options.simulation(self.task), dry_run=True, overwrite=True)
            report = simulate(self.task, self.folder.data, rehearsed)
            bytes_raw, memory = report.bytes_raw, report.memory_bytes
            scenes = report.test_images * prod(report.shape) * np.dtype(report.dtype).itemsize
        else:
            images = [open_image(scene.source) for scene in data.scenes]
            bytes_raw = memory = 0
            scenes = sum(prod(image.shape) * image.dtype.itemsize for image in images)
        return replace(
            self._report(trials, finished),
            simulated_bytes=bytes_raw,
            simulation_memory_bytes=memory,
            translated_bytes=(trials - finished) * scenes,
            dry_run=True,
        )

    def run(self, progress: Progress) -> BenchmarkReport:
        """Everything that is not done yet; then the documents."""
        data = self._data(progress)
        planned = plan(self.task, self.options, self._saliency(data))
        works = self._works(planned, data)
        todo = [work for work in works if not work.finished]
        failed = {}
        for work, error in done(todo, self.options.workers, progress):
            if error is not None:
                failed[work.trial.key] = first_line(error)
        found = self._found(works, data, failed)
        told = results(self.task, self.study, planned, found, self._setup(works, data))
        self._write(told, works, data)
        if failed:
            raise WorkFailed(
                f"{len(failed)} of {len(works)} trainings failed "
                f"({'; '.join(f'{key}: {why}' for key, why in failed.items())}): the others are in "
                f"{self.folder.page}, and --resume tries these again"
            )
        return replace(
            self._report(len(works), len(works) - len(todo)),
            verdicts=told.verdicts,
            medians={
                name: {metric: summary.median for metric, summary in row.metrics.items()}
                for name, row in told.rows.items()
            },
        )

    def _works(self, planned: Plan, data: DataSet) -> list[trial.Work]:
        works = [
            trial.Work(one, self.task, data, self.folder.trial(one), self.options.device)
            for one in planned.trials
        ]
        for work in works:
            work.refuse_other_settings()
        return works

    def _known_data(self) -> DataSet | None:
        """What is given, or was simulated before; None where it is still to be simulated."""
        kept = self.options.existing != "overwrite" and self.folder.data.exists()
        if self.options.data is None and not kept:
            return None
        return find_data(self.options.data or self.folder.data, self.study)

    def _data(self, progress: Progress) -> DataSet:
        if self.options.data is None and not self.folder.data.exists():
            simulate(self.task, self.folder.data, self.options.simulation(self.task), progress)
        return find_data(self.options.data or self.folder.data, self.study)

    def _saliency(self, data: DataSet | None) -> tuple[str, ...]:
        """What UTOM is told of the data, where it takes part and there are data."""
        if data is None or "utom" not in self.options.methods:
            return ()
        normalize = settings(self.task, self.options).data.normalize
        return saliency(self.study, (threshold(data.a, normalize), threshold(data.b, normalize)))

    def _found(self, works: Sequence[trial.Work], data: DataSet, failed: dict[str, str]) -> Found:
        trees = {(w.trial.variant.name, w.trial.seed): _tree(w) for w in works if w.finished}
        return Found(
            trials={key: from_json(tree) for key, tree in trees.items()},
            parameters={name: tree["parameters"] for (name, _), tree in trees.items()},
            baselines=self._baselines(data),
            failed=failed,
        )

    def _baselines(self, data: DataSet) -> dict[str, Measured]:
        """Doing nothing; and where cells are found, the truth itself."""
        instead = {"input": [scene.source for scene in data.scenes]}
        truths = [scene.truth for scene in data.scenes if scene.truth]
        if self.study.cells and len(truths) == len(data.scenes):
            instead["truth"] = truths
        elif not self.study.cells and _channels(instead["input"]) != _channels(truths):
            return {}
        found = {}
        for name, paths in instead.items():
            known = self.folder.measured_baseline(name)
            if known is None:
                known, _ = measure(self.study, data.scenes, paths)
                self.folder.keep_baseline(name, known)
            found[name] = known
        return found

    def _setup(self, works: Sequence[trial.Work], data: DataSet) -> dict[str, Any]:
        chosen, trees = settings(self.task, self.options), [_tree(w) for w in works if w.finished]
        where = {name: sorted({str(tree[name]) for tree in trees}) for name in _WHERE}
        simulated = {}
        if self.options.data is None:
            asked = self.options.simulation(self.task)
            simulated = {
                "simulated": {n: getattr(asked, n) for n in ("size", "count", "frames", "seed")}
            }
        return {
            "reference": described(data.scenes, self.study),
            "config": Path(self.options.config or self.task).name,
            "changes": " ".join(self.options.overrides) or "none",
            "steps": chosen.training.steps,
            "batch": chosen.data.batch,
            "patch": chosen.data.patch,
            "images_seen": chosen.training.steps * chosen.data.batch,
            "seeds": [
                *range(self.options.seed, self.options.seed + self.options.seeds),
            ],
            **{name: ", ".join(values) for name, values in where.items()},
            "training_images": {"A": len(data.a), "B": len(data.b)},
            "test_scenes": len(data.scenes),
            **simulated,
            "data": data.digest,
            "versions": versions(),
        }

    def _write(self, told: Results, works: Sequence[trial.Work], data: DataSet) -> None:
        """The page and the times, then the document, which says that all is there."""
        trials = [work.trial for work in works]
        times = self.folder.times_of(trials, self.options.workers)
        self.folder.write(self.folder.times, document(times) + "\n")
        pictures = _pictures(self.study, works, data)
        self.folder.write(self.folder.page, benchmark_page(told, pictures))
        if told.failed:
            self.folder.results.unlink(missing_ok=True)
        else:
            self.folder.write(self.folder.results, document(told) + "\n")

    def _report(self, trainings: int, finished: int) -> BenchmarkReport:
        chosen = settings(self.task, self.options)
        return BenchmarkReport(
            output=str(self.folder.path),
            report=str(self.folder.page),
            results=str(self.folder.results),
            task=self.task,
            trainings=trainings,
            finished=finished,
            steps=chosen.training.steps,
            images_seen=chosen.training.steps * chosen.data.batch,
        )


_WHERE = ("device", "precision")


def _pictures(study: Study, works: Sequence[trial.Work], data: DataSet) -> Pictures:
    """What the trials with the first seed have drawn."""
    first = [work for work in works if work.trial.seed == works[0].trial.seed and work.finished]

    def drawn(name: str) -> dict[str, bytes]:
        places = {work.trial.variant.name: work.folder / name for work in first}
        return {key: place.read_bytes() for key, place in places.items() if place.is_file()}

    scene = data.scenes[0]
    shown = {"input": scene.source} | ({"truth": scene.truth} if scene.truth else {})
    return Pictures(
        scene={name: png(plain(open_image(path))) for name, path in shown.items()},
        translations=drawn(trial.PICTURE),
        traces=drawn(trial.TRACE),
        words=_CELLS if study.cells else _PIXELS,
    )


_CELLS = (
    "Input in cyan, translation in red; beside it the translation with the outlines of true cells "
    "(cyan) and of those found (red). Each image between its own 0.1 and 99.9 percentiles."
)

_PIXELS = "Each image between its own 0.1 and 99.9 percentiles of what is shown."


def _tree(work: trial.Work) -> dict[str, Any]:
    tree = trial.read_json(work.folder / trial.MEASURED)
    if tree is None:
        raise WorkFailed(f"{work.folder / trial.MEASURED} has gone: run the same command again")
    return tree


def _channels(paths: Sequence[Path]) -> list[int]:
    return [open_image(path).shape[1] for path in paths]
