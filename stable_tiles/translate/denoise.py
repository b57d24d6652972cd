"""`denoise`: a trained denoiser makes noisy movies clear, without seams in t, y and x."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from stable_tiles.errors import ModelError
from stable_tiles.image.store import open_image
from stable_tiles.model import load_model
from stable_tiles.progress import Progress, silent
from stable_tiles.remote.location import Location
from stable_tiles.translate.drift import warn_of_drift
from stable_tiles.translate.find import find_run, find_target
from stable_tiles.translate.options import StoreOptions, TranslateOptions
from stable_tiles.translate.report import TranslateReport
from stable_tiles.translate.verb import DEFAULTS, translate


def denoise(
    source: str | Location,
    target: str | Location | None = None,
    options: TranslateOptions = DEFAULTS,
    progress: Progress = silent,
) -> TranslateReport:
    """Denoise a movie with a model of method ``support``.

    A frame is made from as many frames around it as the model reads, the
    movie reflected at its ends.  Values stay those of the movie, as float32
    by default: a mean of few photons is no whole number.

    Parameters
    ----------
    source : str, Path or Remote
        The movie.
    target : str, Path or Remote, optional
        The output; ``NAME.denoised.zarr`` beside the source by default.
    options : TranslateOptions
        What to do and how; shards are as wide as chunks by default, so that
        they hold many frames.
    progress : Progress
        Told of regions done.

    Returns
    -------
    TranslateReport

    Raises
    ------
    ModelError
        If the model is none of a denoiser.
    InputError, WorkFailed, Interrupted
        See `translate`.

    Warns
    -----
    UserWarning
        If frames move by more than a pixel.  Nothing is corrected.

    Notes
    -----
    The same guarantees hold as of `translate`: in one piece or in tiles, in any
    order and after any interruption the same bits on CPUs.
    """
    run = find_run(options.model, os.environ, Path.cwd())
    if load_model(run).settings.frames_read == 1:
        raise ModelError(f"{run} is no denoiser but translates: use stable-tiles translate")
    where = find_target(source, target, "denoised")
    channels = options.select.channels
    warn_of_drift(open_image(source), channels[0] if channels else 0)
    told = replace(options, model=run, store=_long_shards(options.store))
    return translate(source, where, told, progress)


def _long_shards(store: StoreOptions) -> StoreOptions:
    """Shards of one chunk's side where none is asked for: many frames, and few read twice."""
    known = store.shard is not None or store.ngff == "0.4"
    return store if known else replace(store, shard=store.chunk)
