"""PatchSource: one image made ready: where patches are read, and how they are normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError
from stable_tiles.image.ngff import Channel
from stable_tiles.image.store import Image
from stable_tiles.intensity import Normalizer
from stable_tiles.region import Region
from stable_tiles.settings import DataSettings
from stable_tiles.train.reader import BlockReader
from stable_tiles.train.scale import Sampling, choose_sampling
from stable_tiles.train.scan import with_percentiles
from stable_tiles.train.schedule import Block, Field
from stable_tiles.train.split import Part, level_ranges, part_of, whole


@dataclass(frozen=True)
class Portion:
    """What of an image is used.

    Parameters
    ----------
    channels : tuple of int, optional
        Channels; all by default.
    window : Region, optional
        Over (y, x), in pixels of level 0; all of it by default.
    frames : int
        Frames of a movie that a patch holds, one behind the other.
    """

    channels: tuple[int, ...] | None = None
    window: Region | None = None
    frames: int = 1


@dataclass(frozen=True)
class PatchSource:
    """One image of a domain.

    Parameters
    ----------
    image : Image
    part : Part
        What of it is used.
    sampling : Sampling
        The level that patches are read from, and their extent there.
    first : (int, int)
        First row and column used, in pixels of that level; the field and its
        blocks count from there.
    field : Field
        The places to cut patches from.
    channels : tuple of Channel
        The channels that are used.
    normalizer : Normalizer
        From their pixel values to network units.
    reader : BlockReader
    frames : int
        Frames of a patch; planes of the field are those of the first.
    """

    image: Image
    part: Part
    sampling: Sampling
    first: tuple[int, int]
    field: Field
    channels: tuple[Channel, ...]
    normalizer: Normalizer
    reader: BlockReader
    frames: int = 1

    @property
    def largest_block(self) -> int:
        """Bytes of the largest block."""
        values = self.field.largest_block * len(self.channels) * self.frames
        return values * self.image.dtype.itemsize

    @property
    def middle(self) -> int:
        """Planes from the first frame of a patch to the one in its middle."""
        return self.frames // 2 * self.image.shape[2]

    def read(self, block: Block) -> npt.NDArray[Any]:
        """The pixels of a block; raises BadPixels where they cannot be used.

        Returns
        -------
        ndarray of the store's dtype, shape (c, y, x), or (t, c, y, x) of several frames
        """
        window = Region(block.start, block.stop).shifted(self.first)
        t, z = divmod(block.plane, self.image.shape[2])
        if self.frames == 1:
            return self.reader.read((t, z), window)
        shape = (self.frames, len(self.channels), *window.shape)
        pixels = np.empty(shape, self.image.dtype)
        for frame in range(self.frames):
            pixels[frame] = self.reader.read((t + frame, z), window)
        return pixels

    def footprint(self, plane: int, origin: tuple[int, int]) -> Part:
        """All pixels of level 0 that the patch with an origin (y, x) of the field is made of."""
        y, x = (
            (floor((a + o) * f), min(size, ceil((a + o + n) * f)))
            for a, o, n, f, size in zip(
                self.first,
                origin,
                self.sampling.window,
                self.sampling.factor,
                self.image.shape[-2:],
                strict=True,
            )
        )
        last = plane + (self.frames - 1) * self.image.shape[2]
        return Part(self.image.name, y, x, (plane, last + 1), self.sampling.level)


def prepare(
    image: Image, data: DataSettings, portion: Portion, *, skip_bad: bool = False
) -> PatchSource:
    """An image made ready for patches.

    Parameters
    ----------
    image : Image
    data : DataSettings
    portion : Portion
        What of it is used.
    skip_bad : bool
        Leave out blocks that cannot be read where percentiles are counted.

    Raises
    ------
    InputError
        If a patch does not fit, the image is empty or constant, its
        percentiles are no numbers, channels do not exist, or a pixel size is
        needed and not known.
    BadPixels
        If percentiles are to be counted and a chunk cannot be read.
    """
    channels, window = portion.channels, portion.window
    named = _select(image, channels)
    _check_frames(image, portion.frames)
    sampling = choose_sampling(image, data)
    ranges = level_ranges(image, window or whole(image), sampling)
    planes = (image.shape[0] - portion.frames + 1) * image.shape[2]
    field = _field(image, sampling, ranges, planes=planes, halved=window is not None)
    if data.normalize.kind == "percentile":
        wanted = (0, 100, *(n for n in data.normalize.bounds if n is not None))
        image = with_percentiles(image, wanted, skip_bad=skip_bad)
    normalizer = _normalizer(image, data, channels)
    _check_varied(image, channels)
    return PatchSource(
        image=image,
        part=part_of(image, window or whole(image), sampling),
        sampling=sampling,
        first=(ranges[0][0], ranges[1][0]),
        field=field,
        channels=named,
        normalizer=normalizer,
        reader=BlockReader(image, sampling.level, channels),
        frames=portion.frames,
    )


def _check_frames(image: Image, frames: int) -> None:
    if image.shape[0] < frames:
        most = (image.shape[0] - 1) // 2 * 2 + 1
        fewer = f"use --set support.network.frames={most}, or " if most >= 3 else ""
        raise InputError(
            f"{image.name} has {image.shape[0]} frames, and a patch has {frames}: "
            f"{fewer}leave it out"
        )


def _select(image: Image, selected: Sequence[int] | None) -> tuple[Channel, ...]:
    if not prod(image.shape):
        raise InputError(f"{image.name} has no pixels (its shape is {image.shape}, t c z y x)")
    if selected is None:
        return image.channels
    wrong = [c for c in selected if not 0 <= c < image.shape[1]]
    if wrong or not selected:
        raise InputError(
            f"data.channels {list(selected)}: {image.name} has the channels 0..{image.shape[1] - 1}"
        )
    return tuple(image.channels[c] for c in selected)


def _field(
    image: Image,
    sampling: Sampling,
    ranges: Sequence[tuple[int, int]],
    *,
    planes: int,
    halved: bool,
) -> Field:
    height, width = (max(0, stop - first) for first, stop in ranges)
    side = sampling.window
    if side[0] > height or side[1] > width:
        wanted = f"{side[0]}" if side[0] == side[1] else f"{side[0]} x {side[1]}"
        half = ", the half that --split leaves it" if halved else ""
        plain = sampling.extent == (side[0], side[1]) and sampling.level == 0
        fitting = f" of {min(height, width)} or less" if plain and min(height, width) else ""
        raise InputError(
            f"patches of {wanted} px do not fit into {image.name} ({height} x {width} px at "
            f"level {sampling.level}{half}): use {'' if fitting else 'a smaller '}data.patch"
            f"{fitting}, or leave it out"
        )
    level = image.levels[sampling.level]
    cell_y, cell_x = (
        chunk * -(-n // chunk) for chunk, n in zip(level.array.chunks[-2:], side, strict=True)
    )
    return Field(planes, (height, width), side, (cell_y, cell_x))


def _normalizer(image: Image, data: DataSettings, channels: Sequence[int] | None) -> Normalizer:
    try:
        fitted = image.normalizer(data.normalize)
    except ValueError as error:
        raise InputError(f"{image.name} holds no finite pixels to normalise by ({error})") from None
    if channels is None or len(fitted.low) == 1:
        return fitted
    return Normalizer(
        tuple(fitted.low[c] for c in channels), tuple(fitted.high[c] for c in channels)
    )


def _check_varied(image: Image, channels: Sequence[int] | None) -> None:
    """Refuse an image whose used channels are all constant, where its percentiles are known."""
    if "intensity" not in image.attributes:
        return
    limits = image.percentiles((0, 100))
    used = [limits[c] for c in (range(len(limits)) if channels is None else channels)]
    if any(low < high for low, high in used) or _varies(image):
        return
    values = ", ".join(f"{low:g}" for low, _ in used)
    raise InputError(
        f"{image.name} level 0 is constant from t 0, z 0, y 0, x 0 on (every pixel is {values}): "
        "there is nothing to learn from it; leave it out"
    )


def _varies(image: Image) -> bool:
    """Whether the middle plane of the coarsest level varies; bins of wide types may hide it."""
    if image.dtype.kind != "f" and image.dtype.itemsize <= 2:
        return False
    t, _, z, height, width = image.levels[-1].shape
    plane = Region((t // 2, z // 2, 0, 0), (t // 2 + 1, z // 2 + 1, height, width))
    pixels = image.read(plane, len(image.levels) - 1)
    return bool(np.ptp(pixels) > 0)
