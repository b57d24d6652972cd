"""The loop: steps, and what happens between them."""

from __future__ import annotations

from threading import Event

from stable_tiles.errors import Interrupted
from stable_tiles.progress import Progress
from stable_tiles.train.loader import ahead
from stable_tiles.train.page import write_page
from stable_tiles.train.skip import log_skipped
from stable_tiles.train.training import Training, save
from stable_tiles.train.watch import preview, settle, validate


def run_steps(training: Training, first: int, stop: Event, progress: Progress) -> None:
    """Train from step `first` to the settings' last step.

    Raises
    ------
    Interrupted
        If `stop` was set; after a checkpoint.
    WorkFailed
        If a loss is NaN or infinite, or a patch cannot be read.
    """
    t, last = training.settings.training, training.settings.training.steps
    batches = ahead(training.batch, range(first, last), training.settings.data.workers)
    for step, (a, b) in zip(range(first + 1, last + 1), batches, strict=True):
        losses = training.method.step(a.to(training.device), b.to(training.device), step - 1)
        training.log.add(training.peers.mean(losses, training.method.statistics))
        log_skipped(training, step)
        if training.average is not None:
            training.average.update(training.method.network)
        done, stopped = step == last, training.peers.agree(stop.is_set())
        if done or step % t.log_every == 0:
            training.log.check(step)
            training.log.write(step)
        looked = done or step % t.preview_every == 0
        judged = training.held_out is not None and (done or step % t.validate_every == 0)
        kept = done or stopped or step % t.checkpoint_every == 0
        if looked or judged or kept:
            training.log.check(step)
        if training.peers.leads:
            _keep(training, step, looked=looked, judged=judged, kept=kept)
        progress("steps", step, last)
        if stopped and not done:
            training.peers.wait()
            raise Interrupted(
                f"interrupted after step {step} of {last}: run the same command with --resume"
            )


def _keep(training: Training, step: int, *, looked: bool, judged: bool, kept: bool) -> None:
    """What the leading process does between steps."""
    if looked or judged or kept:
        settle(training)
    if looked:
        training.log.append({"step": step, "preview": preview(training, step)})
    if judged:
        training.log.append({"step": step, "validation": validate(training)})
    if kept:
        save(training, step)
    if looked or judged or kept:
        write_page(training, step)
