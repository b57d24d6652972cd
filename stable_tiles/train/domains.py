"""The two domains of a training: their stores opened, checked, and described for the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stable_tiles.errors import InputError, MissingExtra, StoreNotFound
from stable_tiles.image.store import Image, open_image
from stable_tiles.intensity import Normalizer
from stable_tiles.ledger import digest_of
from stable_tiles.model import Domain
from stable_tiles.region import Region
from stable_tiles.settings import Settings
from stable_tiles.train.faults import Fault
from stable_tiles.train.leaks import refuse_shared
from stable_tiles.train.patches import Patches, distinct
from stable_tiles.train.scale import choose_sampling, pixel_size_um
from stable_tiles.train.sources import Portion
from stable_tiles.train.split import Split, SplitKind, halves

Stores = Sequence[str | Path]

SOURCE, TARGET, HELD_OUT_SOURCE, HELD_OUT_TARGET = range(4)
"""Streams of random numbers."""


@dataclass(frozen=True)
class Data:
    """The patches that a training reads.

    Parameters
    ----------
    a, b : Patches
        Of the source and of the target domain; the same where a method learns
        from one domain alone.
    held_out : pair of Patches or None
        Of held-out images of A and B.
    split : Split
        What of which store belongs to which domain.
    left_out : tuple of Fault
        Stores that were given and are not used, and why.
    """

    a: Patches
    b: Patches
    held_out: tuple[Patches, Patches] | None
    split: Split
    left_out: tuple[Fault, ...] = ()

    @property
    def read(self) -> tuple[Patches, ...]:
        """The patches that are read: of both domains, or of the one there is."""
        return distinct((self.a, self.b))

    @property
    def digests(self) -> dict[str, str]:
        """What tells other inputs apart, by the name that a user gave them with."""
        stores = {
            option: ",".join(image.digest() for image in patches.images)
            for option, patches in zip(("--source", "--target"), self.read, strict=False)
        }
        return {"--split": digest_of(self.split.to_json()), **stores}

    @property
    def provenance(self) -> dict[str, Any]:
        """Names (without folders) and digests of all stores, and how they were split."""
        stores = {
            side: [{"name": image.name, "digest": image.digest()} for image in patches.images]
            for side, patches in zip(("sources", "targets"), self.read, strict=False)
        }
        return {**stores, "split": self.split.to_json()}


@dataclass(frozen=True)
class _Opened:
    """The stores of both domains that could be opened, and what of them is used."""

    images: tuple[tuple[Image, ...], tuple[Image, ...]]
    faults: tuple[Fault, ...] = ()
    windows: tuple[tuple[Region, ...] | None, tuple[Region, ...] | None] = (None, None)
    kind: SplitKind = "whole stores"


def open_data(
    settings: Settings,
    training: tuple[Stores, Stores],
    held_out: tuple[Stores, Stores] = ((), ()),
    *,
    split: bool = False,
    skip_bad: bool = False,
) -> Data:
    """Open and check the stores of both domains.

    Parameters
    ----------
    settings : Settings
        Of the training.
    training, held_out : pair of sequences of paths
        Stores of A and of B.
    split : bool
        The stores are pairs of the same scenes: divide them so that no patch
        of A has its counterpart in B.  Of several pairs, A takes the first,
        third, ... and B the others; a single pair is cut into halves with a
        guard band between them (see `split`).
    skip_bad : bool
        Leave out stores that cannot be used and blocks that cannot be read.

    Raises
    ------
    InputError
        If a store is missing, is none, is on two sides that must not share
        one, or does not fit the settings.
    """
    if settings.one_domain:
        return _open_alone(settings, (training, held_out), split=split, skip_bad=skip_bad)
    if not training[0] or not training[1]:
        raise InputError("training needs at least one --source and one --target store")
    if bool(held_out[0]) != bool(held_out[1]):
        raise InputError("validation needs both --val-source and --val-target")
    opened, judged = _open(training, skip_bad), _open(held_out, skip_bad)
    for side in judged.images:
        refuse_shared(sum(opened.images, ()), side, "validate with images that are not trained on")
    if split:
        opened = _split(settings, opened)
    else:
        refuse_shared(*opened.images, "unpaired training needs different images, or --split")
    faults = opened.faults + judged.faults
    a, b = _patches(settings, opened, (SOURCE, TARGET), skip_bad)
    faults += a.left_out + b.left_out
    if not held_out[0]:
        return Data(a, b, None, Split(opened.kind, a.parts, b.parts), faults)
    tests = _patches(settings, judged, (HELD_OUT_SOURCE, HELD_OUT_TARGET), skip_bad)
    for patches, judge in zip((a, b), tests, strict=True):
        _check_same_channels(patches, judge)
        faults += judge.left_out
    parts = Split(opened.kind, a.parts, b.parts, tests[0].parts, tests[1].parts)
    return Data(a, b, tests, parts, faults)


def _open_alone(
    settings: Settings,
    stores: tuple[tuple[Stores, Stores], tuple[Stores, Stores]],
    *,
    split: bool,
    skip_bad: bool,
) -> Data:
    """The stores of a method that learns from one domain: its own target."""
    (sources, targets), (judges, others) = stores
    if targets or others or split:
        raise InputError(
            f"method {settings.method} learns from recordings alone: leave out --target, "
            "--val-target and --split"
        )
    if not sources:
        raise InputError("training needs at least one --source store")
    opened, judged = _open((sources, ()), skip_bad), _open((judges, ()), skip_bad)
    advice = "validate with recordings that are not trained on"
    refuse_shared(opened.images[0], judged.images[0], advice)
    faults = opened.faults + judged.faults
    a = _one(settings, opened, SOURCE, skip_bad)
    faults += a.left_out
    if not judges:
        return Data(a, a, None, Split(opened.kind, a.parts, ()), faults)
    test = _one(settings, judged, HELD_OUT_SOURCE, skip_bad)
    _check_same_channels(a, test)
    parts = Split(opened.kind, a.parts, (), test.parts)
    return Data(a, a, (test, test), parts, faults + test.left_out)


def describe(patches: Patches, settings: Settings) -> Domain:
    """The domain as the model remembers it.

    Its normalizer is the mean of its images' own: it serves where an image's
    own intensities must not decide, and turns translations back into pixel
    values of this domain.
    """
    fitted = patches.normalizers
    normalizer = Normalizer(
        tuple(float(v) for v in np.mean([n.low for n in fitted], axis=0)),
        tuple(float(v) for v in np.mean([n.high for n in fitted], axis=0)),
    )
    sizes = {pixel_size_um(image) for image in patches.images}
    own = sizes.pop() if len(sizes) == 1 else None
    return Domain(
        channels=patches.channels,
        channel_names=tuple(channel.name for channel in patches.named_channels),
        colors=tuple(channel.color for channel in patches.named_channels),
        dtype=str(np.result_type(*(image.dtype for image in patches.images))),
        normalizer=normalizer,
        normalization=settings.data.normalize,
        pixel_size_um=settings.data.pixel_size_um or own,
    )


def _open(stores: tuple[Stores, Stores], skip_bad: bool) -> _Opened:
    faults: list[Fault] = []
    sides: list[tuple[Image, ...]] = []
    for paths in stores:
        images: list[Image] = []
        for path in paths:
            try:
                images.append(open_image(path))
            except InputError as error:
                if not skip_bad or isinstance(error, StoreNotFound | MissingExtra):
                    raise
                name = str(path).rstrip("/").rsplit("/", 1)[-1]
                faults.append(Fault(name, str(error).replace(str(path), name)))
        if paths and not images:
            raise InputError(f"no store of this domain can be used: {faults[-1].reason}")
        sides.append(tuple(images))
    return _Opened((sides[0], sides[1]), tuple(faults))


def _patches(
    settings: Settings, opened: _Opened, streams: tuple[int, int], skip_bad: bool
) -> tuple[Patches, Patches]:
    seed, channels = settings.training.seed, (settings.data.channels, None)
    a, b = (
        Patches(
            images,
            settings.data,
            (seed, stream),
            portions=[Portion(chosen, window) for window in windows or (None,) * len(images)],
            skip_bad=skip_bad,
        )
        for images, stream, chosen, windows in zip(
            opened.images, streams, channels, opened.windows, strict=True
        )
    )
    return a, b


def _one(settings: Settings, opened: _Opened, stream: int, skip_bad: bool) -> Patches:
    """Patches of the one domain there is, of as many frames as the method reads."""
    images, frames = opened.images[0], settings.architecture.frames_read
    portion = Portion(settings.data.channels, None, frames)
    return Patches(
        images,
        settings.data,
        (settings.training.seed, stream),
        portions=[portion] * len(images),
        skip_bad=skip_bad,
    )


def _split(settings: Settings, opened: _Opened) -> _Opened:
    """The stores as pairs, divided between the domains."""
    sources, targets = opened.images
    if opened.faults:
        raise InputError(f"--split needs both stores of every pair: {opened.faults[0].reason}")
    if len(sources) != len(targets):
        raise InputError(
            f"--split needs pairs: {len(sources)} --source and {len(targets)} --target stores"
        )
    if len(sources) == 1:
        samplings = (
            choose_sampling(sources[0], settings.data),
            choose_sampling(targets[0], settings.data),
        )
        left, right = halves((sources[0], targets[0]), samplings)
        return _Opened(opened.images, windows=((left,), (right,)), kind="halves of a pair")
    for i, pair in enumerate(zip(sources, targets, strict=True)):
        refuse_shared(
            sources[:i] + targets[:i],
            pair,
            "--split deals pairs out to the domains, so that a store may be in one pair only",
        )
    return _Opened((sources[::2], targets[1::2]), kind="pairs dealt out")


def _check_same_channels(training: Patches, judged: Patches) -> None:
    if training.channels != judged.channels:
        raise InputError(
            f"{judged.images[0].name} has {judged.channels} channels but {training.images[0].name}"
            f" has {training.channels}: validate with images like those that are trained on"
        )
