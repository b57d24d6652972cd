"""`translate`: images become others through a trained model, without seams."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from stable_tiles.errors import InputError, Interrupted, StableTilesError, WorkFailed, first_line
from stable_tiles.ledger import Receipt
from stable_tiles.progress import Progress, silent
from stable_tiles.remote.location import Location
from stable_tiles.translate.execute import Crew, crew
from stable_tiles.translate.memory import use_one_arena
from stable_tiles.translate.options import TranslateOptions
from stable_tiles.translate.output import is_finished, refuse_target
from stable_tiles.translate.prepare import Work, prepare
from stable_tiles.translate.report import (
    CohortReport,
    Tally,
    TranslateReport,
    planned,
    summed,
)
from stable_tiles.translate.running import Orders, Running
from stable_tiles.translate.task import make_region

DEFAULTS = TranslateOptions()
"""What a translation does when it is told nothing."""

_NAMED = 3
"""Images that failed whose reasons are told in one line."""


def translate(
    source: str | Location,
    target: str | Location | None = None,
    options: TranslateOptions = DEFAULTS,
    progress: Progress = silent,
) -> TranslateReport:
    """Translate an OME-Zarr image with a trained model.

    Parameters
    ----------
    source : str, Path or Remote
        The image.
    target : str, Path or Remote, optional
        The output; ``NAME.translated.zarr`` beside the source by default.
    options : TranslateOptions
        What to do and how.
    progress : Progress
        Told of regions done, and before that of tiles whose statistics are gathered, if any.

    Returns
    -------
    TranslateReport
        What was done; it is also kept in the output's provenance.

    Raises
    ------
    InputError
        If anything does not fit, before work starts.
    WorkFailed
        If regions could not be made; all others are done and ``resume`` completes the rest.
    Interrupted
        If the work was interrupted; ``resume`` completes it.

    Notes
    -----
    The same inputs give the same array files, byte for byte, for any number of
    workers, any order, and any interruption.
    """
    began = time.perf_counter()
    use_one_arena()
    work = prepare(source, target, options)
    if options.dry_run:
        return replace(planned(work), dry_run=True)
    refuse_target(work.target, options)
    for _, outcome in _made([Running(work, options)], progress):
        if isinstance(outcome, StableTilesError):
            raise outcome
        report = outcome
    return report.lasting(time.perf_counter() - began)


def translate_all(
    images: Iterable[tuple[str | Location, str | Location | None]],
    options: TranslateOptions = DEFAULTS,
    progress: Progress = silent,
) -> CohortReport:
    """Translate several images with one model, the workers busy across them.

    Parameters
    ----------
    images : iterable of (source, target)
        As `translate` takes them.
    options : TranslateOptions
        The same for all.  With ``resume`` images that were finished before are left as they are.
    progress : Progress
        Told of the regions of all images together.

    Returns
    -------
    CohortReport
        What was done with every image; each output keeps its own.

    Raises
    ------
    InputError
        If anything does not fit, before work starts, or two images have one output.
    WorkFailed
        If images could not be finished; all others are, and ``resume`` completes the rest.
    Interrupted
        If the work was interrupted; ``resume`` completes it.
    """
    began = time.perf_counter()
    use_one_arena()
    works = [prepare(source, target, options) for source, target in images]
    _refuse_shared(works)
    finished = {work.target for work in works if options.resume and is_finished(work)}
    if not options.dry_run:
        for work in works:
            if work.target not in finished:
                refuse_target(work.target, options)
    reports = {work.target: replace(planned(work), dry_run=options.dry_run) for work in works}
    for target in finished:
        reports[target] = replace(reports[target], complete=True)
    tally, failed = Tally(), []
    if not options.dry_run:
        todo = [Running(work, options) for work in works if work.target not in finished]
        for image, outcome in _made(todo, progress, tally):
            if isinstance(outcome, StableTilesError):
                failed.append(f"{image.work.image.name}: {first_line(outcome)}")
            else:
                reports[image.work.target] = outcome
    if failed:
        more = f" (and {len(failed) - _NAMED} more)" if len(failed) > _NAMED else ""
        raise WorkFailed(
            f"{len(failed)} of {len(works)} images are unfinished: "
            f"{'; '.join(failed[:_NAMED])}{more}"
        )
    return summed([reports[work.target] for work in works], tally, time.perf_counter() - began)


def _made(
    images: Sequence[Running], progress: Progress, tally: Tally | None = None
) -> Iterator[tuple[Running, TranslateReport | StableTilesError]]:
    """Make all regions of all images; every image as it ends, with its report or why it failed."""
    if not images:
        return
    first = images[0]
    try:
        with crew(first.hardware, first.work.resources) as workers:
            yield from _begun(images, workers, progress)
            begun = {image.work.job.folder: image for image in images}
            orders, done = Orders(images), 0
            progress("regions", 0, len(orders))
            for made in workers(make_region, orders):
                if made is not None:
                    image = begun[made[0].folder]
                    done += 1
                    if tally is not None and isinstance(made[1], Receipt):
                        tally.add(made[1])
                    if image.count(made[1]):
                        yield image, _finished(image)
                progress("regions", done, len(orders))
    except KeyboardInterrupt:
        raise Interrupted("interrupted: run the same command with --resume to go on") from None
    finally:
        for image in images:
            image.close()


def _begun(
    images: Sequence[Running], workers: Crew, progress: Progress
) -> Iterator[tuple[Running, TranslateReport | StableTilesError]]:
    """Begin all images; those that cannot begin, and those with nothing left to do, end here."""
    for image in images:
        try:
            image.begin(workers, progress)
        except StableTilesError as error:
            yield image, error
            continue
        if not len(image.left):
            yield image, _finished(image)


def _finished(image: Running) -> TranslateReport | StableTilesError:
    try:
        return image.finish()
    except StableTilesError as error:
        return error


def _refuse_shared(works: Sequence[Work]) -> None:
    """Refuse images that would be written to one place."""
    sources: dict[Location, str] = {}
    for work in works:
        place = work.job.folder
        if place in sources:
            raise InputError(
                f"{sources[place]} and {work.image.name} would both become {work.target}: "
                "translate them into different folders"
            )
        sources[place] = work.image.name
