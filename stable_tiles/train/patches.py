"""Patches of one domain, streamed from its stores: normalised, turned, never all in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from stable_tiles.errors import InputError, WorkFailed
from stable_tiles.image.ngff import Channel
from stable_tiles.image.store import Image
from stable_tiles.intensity import Normalizer
from stable_tiles.region import Region
from stable_tiles.settings import DataSettings
from stable_tiles.train.cache import BlockCache
from stable_tiles.train.foreground import Foreground
from stable_tiles.train.schedule import (
    MIXED,
    Block,
    Cut,
    Field,
    Schedule,
    Shows,
    everywhere,
    orient,
)

Planes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Portion:
    """What of the images is used: some channels (all by default), of a half of every plane."""

    channels: tuple[int, ...] | None = None
    half: Literal["both", "left", "right"] = "both"


EVERYTHING = Portion()


@dataclass(frozen=True)
class Place:
    """Where an image's patches are read.

    A level of the image, the patches' side there, and the columns
    ``left <= x < right`` that they may cover, in pixels of that level.
    """

    level: int
    side: int
    left: int
    right: int


class Patches:
    """The endless sequence of patches of one domain; patch `i` depends on nothing but `i`.

    Every patch position of every plane of every image is equally likely (see
    `schedule`).  Blocks of whole chunks are decoded once and serve several
    patches; at most `capacity` bytes of them are kept.  Safe to use from
    several threads.

    Parameters
    ----------
    images : sequence of Image
        The domain's images, with equal numbers of channels.
    data : DataSettings
        Side, batch, normalisation, augmentation and pixel size of the patches.
    stream : (int, int)
        The run's seed and the number of the domain's random stream.
    portion : Portion
        What of the images is used.

    Raises
    ------
    InputError
        If a patch does not fit into an image, channels differ or do not
        exist, or a pixel size is needed and not known.
    """

    def __init__(
        self,
        images: Sequence[Image],
        data: DataSettings,
        stream: tuple[int, int],
        portion: Portion = EVERYTHING,
    ) -> None:
        self.images = tuple(images)
        self.side = data.patch
        self.batch_size = data.batch
        self.portion = portion
        self.named_channels = _channels(self.images, portion.channels)
        self.channels = len(self.named_channels)
        self.normalizers = tuple(
            _normalizer(image, data, portion.channels) for image in self.images
        )
        self._places = tuple(_place(image, data, portion) for image in self.images)
        fields = tuple(map(_field, self.images, self._places))
        capacity = data.cache_bytes // 2
        mixed = _mixed(self.images, fields, self.channels, capacity)
        shows = self._shows() if data.foreground else everywhere
        self.schedule = Schedule(fields, *stream, data.augment, mixed, data.foreground, shows)
        self.cache = BlockCache(self._read, capacity)

    def batch(self, step: int) -> Planes:
        """The patches of a step (from 0).

        Returns
        -------
        ndarray of float32, shape (n, c, y, x)
            In network units.

        Raises
        ------
        WorkFailed
            If a block cannot be read or holds NaN or infinity; names the store and position.
        """
        first = step * self.batch_size
        return np.stack([self.patch(first + i) for i in range(self.batch_size)])

    def patch(self, index: int) -> Planes:
        """The patch number `index` as float32 (c, y, x), in network units."""
        cut = self.schedule.cut(index)
        return np.ascontiguousarray(orient(self._normalized(cut), cut.orientation))

    def _normalized(self, cut: Cut) -> Planes:
        block = self.cache.load(cut.block)
        window = Region(cut.origin, (cut.origin[0] + cut.side, cut.origin[1] + cut.side))
        rows, columns = window.relative_to(cut.block.start).slices
        pixels = self.normalizers[cut.block.image].normalize(block[:, rows, columns])
        return pixels if cut.side == self.side else _resize(pixels, self.side)

    def _shows(self) -> Shows:
        masks = [
            Foreground(image, place.level, place.side)
            for image, place in zip(self.images, self._places, strict=True)
        ]
        left = [place.left for place in self._places]
        return lambda image, plane, y, x: masks[image].at(plane, y, x + left[image])

    def _read(self, block: Block) -> npt.NDArray[Any]:
        image, place = self.images[block.image], self._places[block.image]
        t, z = divmod(block.plane, image.shape[2])
        window = Region(block.start, block.stop).shifted((0, place.left))
        region = Region((t, z, *window.start), (t + 1, z + 1, *window.stop))
        channels = self.portion.channels
        pixels: npt.NDArray[Any] = image.read(region, place.level, channels)[0, :, 0]
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            bad = np.argwhere(~np.isfinite(pixels))[0]
            y, x = (int(i) + start for i, start in zip(bad[1:], window.start, strict=True))
            raise WorkFailed(
                f"{image.name} level {place.level} holds NaN or infinity at t {t}, z {z}, "
                f"y {y}, x {x}: replace such pixels before training"
            )
        return pixels


def _channels(images: Sequence[Image], selected: Sequence[int] | None) -> tuple[Channel, ...]:
    first = images[0]
    for image in images:
        if image.shape[1] != first.shape[1]:
            raise InputError(
                f"{image.name} has {image.shape[1]} channels but {first.name} has "
                f"{first.shape[1]}: all images of a domain need the same channels"
            )
    if selected is None:
        return first.channels
    wrong = [c for c in selected if not 0 <= c < first.shape[1]]
    if wrong or not selected:
        raise InputError(
            f"data.channels {list(selected)}: {first.name} has the channels 0..{first.shape[1] - 1}"
        )
    return tuple(first.channels[c] for c in selected)


def _normalizer(image: Image, data: DataSettings, channels: Sequence[int] | None) -> Normalizer:
    fitted = image.normalizer(data.normalize)
    if channels is None or len(fitted.low) == 1:
        return fitted
    return Normalizer(
        tuple(fitted.low[c] for c in channels), tuple(fitted.high[c] for c in channels)
    )


def pixel_size_um(image: Image) -> float | None:
    """The image's pixel size in micrometres (the mean of y and x), or None where unknown."""
    factors = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3}
    units, scale = image.axes.units, image.axes.scale
    sizes = [factors[str(units[n])] * scale[n] for n in "yx" if units[n] in factors]
    return sum(sizes) / 2 if len(sizes) == 2 else None


def _place(image: Image, data: DataSettings, portion: Portion) -> Place:
    """The coarsest level still finer than the wanted pixel size, and a patch's side there."""
    level, side = _scale(image, data)
    width = image.levels[level].shape[-1]
    left = width // 2 if portion.half == "right" else 0
    right = width // 2 if portion.half == "left" else width
    return Place(level, side, left, right)


def _scale(image: Image, data: DataSettings) -> tuple[int, int]:
    if data.pixel_size_um is None:
        return 0, data.patch
    own = pixel_size_um(image)
    if own is None:
        raise InputError(
            f"{image.name} has no pixel size in micrometres, which data.pixel_size_um needs: "
            "convert it with --pixel-size, or set data.pixel_size_um=null"
        )
    ratio = data.pixel_size_um / own
    shrunk = [scale[-1] / image.axes.scale["x"] for scale in image.multiscale.scales]
    level = max((k for k, factor in enumerate(shrunk) if factor <= ratio * 1.01), default=0)
    return level, max(1, round(data.patch * ratio / shrunk[level]))


def _field(image: Image, place: Place) -> Field:
    level = image.levels[place.level]
    t, _, z, height, _ = level.shape
    width = place.right - place.left
    if place.side > min(height, width):
        raise InputError(
            f"patches of {place.side} px do not fit into {image.name} ({height} x {width} px at "
            f"level {place.level}): use data.patch of {min(height, width)} or less, or leave it out"
        )
    chunk = max(level.array.chunks[-2:])
    return Field(t * z, height, width, place.side, chunk * -(-place.side // chunk))


def _mixed(images: Sequence[Image], fields: Sequence[Field], channels: int, capacity: int) -> int:
    largest = max(
        field.largest_block * channels * image.dtype.itemsize
        for field, image in zip(fields, images, strict=True)
    )
    return int(min(MIXED, max(1, capacity // largest)))


def _resize(pixels: Planes, side: int) -> Planes:
    # antialias: shrinking averages instead of dropping pixels
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(pixels)[None],
        (side, side),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    array: Planes = resized[0].numpy()
    return array
