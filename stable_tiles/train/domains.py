"""The two domains of a training: their stores opened, checked, and described for the model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stable_tiles.errors import InputError
from stable_tiles.image.store import Image, open_image
from stable_tiles.intensity import Normalizer
from stable_tiles.model import Domain
from stable_tiles.settings import Settings
from stable_tiles.train.patches import Patches, Portion, pixel_size_um

Stores = Sequence[str | Path]

SOURCE, TARGET, HELD_OUT_SOURCE, HELD_OUT_TARGET = range(4)
"""Streams of random numbers."""


@dataclass(frozen=True)
class Data:
    """The patches that a training reads.

    Parameters
    ----------
    a, b : Patches
        Of the source and of the target domain.
    held_out : pair of Patches or None
        Of held-out images of A and B.
    split : bool
        Whether pairs were divided between the domains.
    """

    a: Patches
    b: Patches
    held_out: tuple[Patches, Patches] | None
    split: bool

    @property
    def digests(self) -> dict[str, str]:
        """What tells other inputs apart, by the name that a user gave them with."""
        return {
            "--split": str(self.split),
            "--source": ",".join(image.digest() for image in self.a.images),
            "--target": ",".join(image.digest() for image in self.b.images),
        }

    @property
    def provenance(self) -> dict[str, Any]:
        """Names (without folders) and digests of all stores."""
        return {
            side: [{"name": image.name, "digest": image.digest()} for image in patches.images]
            for side, patches in (("sources", self.a), ("targets", self.b))
        }


def open_data(
    settings: Settings,
    training: tuple[Stores, Stores],
    held_out: tuple[Stores, Stores] = ((), ()),
    *,
    split: bool = False,
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
        third, ... and B the others; of a single pair A takes the left half
        and B the right one.

    Raises
    ------
    InputError
        If a store is missing, is none, is given twice, or does not fit the settings.
    """
    if not training[0] or not training[1]:
        raise InputError("training needs at least one --source and one --target store")
    if not split:
        _check_apart(training, "unpaired training needs different images, or --split")
    sources, targets = (tuple(map(open_image, stores)) for stores in training)
    parts = (Portion(settings.data.channels), Portion())
    if split:
        sources, targets, parts = _split(sources, targets, parts)
    seed = settings.training.seed
    a = Patches(sources, settings.data, (seed, SOURCE), parts[0])
    b = Patches(targets, settings.data, (seed, TARGET), parts[1])
    if bool(held_out[0]) != bool(held_out[1]):
        raise InputError("validation needs both --val-source and --val-target")
    if not held_out[0]:
        return Data(a, b, None, split)
    for stores in zip(held_out, training, strict=True):
        _check_apart(stores, "validate with images that are not trained on")
    source, target = (tuple(map(open_image, stores)) for stores in held_out)
    held_a = Patches(source, settings.data, (seed, HELD_OUT_SOURCE), Portion(parts[0].channels))
    held_b = Patches(target, settings.data, (seed, HELD_OUT_TARGET))
    return Data(a, b, (held_a, held_b), split)


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


def _check_apart(stores: tuple[Stores, Stores], advice: str) -> None:
    """Refuse a store that is on both sides."""
    first, second = ({_canonical(path): path for path in side} for side in stores)
    both = first.keys() & second.keys()
    if both:
        raise InputError(f"{first[min(both)]} is given twice: {advice}")


def _canonical(path: str | Path) -> str:
    return str(path).rstrip("/") if "://" in str(path) else os.path.realpath(path)


def _split(
    sources: tuple[Image, ...], targets: tuple[Image, ...], parts: tuple[Portion, Portion]
) -> tuple[tuple[Image, ...], tuple[Image, ...], tuple[Portion, Portion]]:
    if len(sources) != len(targets):
        raise InputError(
            f"--split needs pairs: {len(sources)} --source and {len(targets)} --target stores"
        )
    for a, b in zip(sources, targets, strict=True):
        if a.shape[-2:] != b.shape[-2:]:
            raise InputError(
                f"--split needs pairs of one size: {a.name} has {a.shape[-2:]} pixels and "
                f"{b.name} has {b.shape[-2:]}"
            )
    if len(sources) > 1:
        return sources[::2], targets[1::2], parts
    left, right = Portion(parts[0].channels, "left"), Portion(parts[1].channels, "right")
    return sources, targets, (left, right)
