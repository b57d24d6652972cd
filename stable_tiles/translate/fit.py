"""Fit: which values become which; the model's domains matched with the image."""

from __future__ import annotations

from math import isfinite

from stable_tiles.errors import InputError, ModelError
from stable_tiles.image.store import Image
from stable_tiles.intensity import Normalizer, fit_normalizer
from stable_tiles.model import Domain, Model
from stable_tiles.settings import Normalization
from stable_tiles.translate.options import Normalize, TranslateOptions
from stable_tiles.translate.pixels import Intensity, storable, unit_normalizer

_TRAINED: dict[str, Normalize] = {"percentile": "image", "range": "training", "none": "none"}


def fit_intensity(
    image: Image, model: Model, options: TranslateOptions
) -> tuple[Intensity, Normalize]:
    """How pixels enter and leave the network, and the name of how they enter.

    Raises
    ------
    ModelError
        If the image's channels, or its dtype with fixed intensities, are not
        what the model was trained with.
    InputError
        If the image has no finite values.
    """
    source, target = model.source(options.direction), model.target(options.direction)
    channels = options.select.channels or tuple(range(image.shape[1]))
    if len(channels) != source.channels:
        raise ModelError(
            f"{image.name}: the model takes {source.channels} channels "
            f"({', '.join(source.channel_names)}), not {len(channels)}: choose with --channels"
        )
    normalize = options.normalize or _TRAINED[source.normalization.kind]
    if options.normalize is None and normalize == "training" and str(image.dtype) != source.dtype:
        raise ModelError(
            f"{image.name} is {image.dtype}, but the model was trained on fixed intensities of "
            f"{source.dtype}: say how with --normalize image, training or none"
        )
    dtype = storable(target.dtype) if options.dtype == "auto" else options.dtype
    entering = _entering(image, source, normalize, channels)
    # a denoised movie keeps its own values, whatever the movies were that were learnt from
    physical = entering if model.settings.frames_read > 1 else target.normalizer
    leaving = physical if options.range == "physical" else unit_normalizer(dtype)
    return Intensity(entering, leaving, dtype), normalize


def _entering(
    image: Image, source: Domain, normalize: Normalize, channels: tuple[int, ...]
) -> Normalizer:
    if normalize == "training":
        return source.normalizer
    if normalize == "none":
        return Normalizer((0.0,), (1.0,))
    settings = source.normalization
    if settings.kind != "percentile":
        settings = Normalization(per=settings.per)
    low, high = settings.bounds
    if low is None or high is None:
        raise ModelError("the model's percentiles are not set: use --normalize training")
    every = image.percentiles((low, high))
    pairs = [(every[channel][0], every[channel][1]) for channel in channels]
    if not all(isfinite(value) for pair in pairs for value in pair):
        raise InputError(
            f"{image.name} has no finite percentiles {low:g} and {high:g}: use --normalize training"
        )
    return fit_normalizer(settings, pairs, image.dtype)
