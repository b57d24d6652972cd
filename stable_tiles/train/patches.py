"""Patches of one domain, streamed from its stores: normalised, turned, never all in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError, WorkFailed
from stable_tiles.image.store import Image
from stable_tiles.settings import DataSettings
from stable_tiles.train.cache import BlockCache
from stable_tiles.train.faults import BadPixels, Fault, FaultList
from stable_tiles.train.foreground import Foreground
from stable_tiles.train.scale import Planes, resample
from stable_tiles.train.schedule import MIXED, Block, Cut, Schedule, Shows, everywhere, orient
from stable_tiles.train.sources import PatchSource, Portion, prepare
from stable_tiles.train.split import Part

ATTEMPTS = 64
"""Blocks that are tried in the place of bad ones before a training gives up."""


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
    channels : sequence of int, optional
        Channels to use, in this order; all by default.
    portions : sequence of Portion, optional
        What of each image is used, and how many frames a patch holds, as many
        in all; planes of `channels`, whole, by default.
    skip_bad : bool
        Leave out images that cannot be used and blocks that cannot be read,
        and take other patches, the same ones in every run.

    Attributes
    ----------
    left_out : tuple of Fault
        Images that are not used, and why.
    faults : FaultList
        Blocks that were skipped.

    Raises
    ------
    InputError
        If a patch does not fit into an image, an image is constant, channels
        differ or do not exist, or a pixel size is needed and not known.
    """

    def __init__(
        self,
        images: Sequence[Image],
        data: DataSettings,
        stream: tuple[int, int],
        channels: Sequence[int] | None = None,
        *,
        portions: Sequence[Portion] | None = None,
        skip_bad: bool = False,
    ) -> None:
        self.side = data.patch
        self.batch_size = data.batch
        self.skip_bad = skip_bad
        self.faults = FaultList()
        chosen = None if channels is None else tuple(channels)
        used = portions or [Portion(chosen)] * len(images)
        self._sources, self.left_out = _usable(images, data, used, skip_bad)
        self.images = tuple(source.image for source in self._sources)
        self.named_channels = self._sources[0].channels
        self.channels = len(self.named_channels)
        self.frames = self._sources[0].frames
        self.normalizers = tuple(source.normalizer for source in self._sources)
        fields = tuple(source.field for source in self._sources)
        capacity = data.cache_bytes // 2
        mixed = max(1, min(MIXED, capacity // max(s.largest_block for s in self._sources)))
        shows = self._shows() if data.foreground else everywhere
        self.schedule = Schedule(fields, *stream, data.augment, mixed, data.foreground, shows)
        self.cache = BlockCache(self._read, capacity)
        self._bad: dict[Block, BadPixels] = {}

    @property
    def parts(self) -> tuple[Part, ...]:
        """What of each image patches are read from."""
        return tuple(source.part for source in self._sources)

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Planes:
        """The patches of a step (from 0), or one of several equal parts of them.

        Returns
        -------
        ndarray of float32, shape (n, c, y, x), or (n, t, c, y, x) of several frames
            In network units.

        Raises
        ------
        BadPixels
            If a block cannot be read or holds NaN or infinity; names the
            store and position.
        WorkFailed
            If nearly all blocks are bad, where they are skipped.
        """
        count = self.batch_size // parts
        planes = np.empty((count, *self._shape), np.float32)
        for i in range(count):
            self._fill(planes[i], step * self.batch_size + part * count + i)
        return planes

    def patch(self, index: int) -> Planes:
        """The patch number `index` as float32, in network units: (c, y, x), or (t, c, y, x)."""
        planes = np.empty(self._shape, np.float32)
        self._fill(planes, index)
        return planes

    @property
    def _shape(self) -> tuple[int, ...]:
        """Shape of a patch."""
        plane = (self.channels, self.side, self.side)
        return plane if self.frames == 1 else (self.frames, *plane)

    def place(self, index: int) -> Part:
        """Where the patch number `index` comes from: all pixels of level 0 that it is made of."""
        # Without skipping no pixel is needed to know.
        cut = self._usable_cut(index)[0] if self.skip_bad else self.schedule.cut(index)
        return self._sources[cut.block.image].footprint(cut.block.plane, cut.origin)

    def _fill(self, planes: Planes, index: int) -> None:
        cut, block = self._usable_cut(index)
        source = self._sources[cut.block.image]
        (top, left), (height, width) = cut.block.start, cut.shape
        y, x = cut.origin[0] - top, cut.origin[1] - left
        # Copied out of the large block first: turning then moves memory that is near.
        pixels = _copied(block[..., y : y + height, x : x + width])
        if source.sampling.extent == (self.side, self.side):
            # Turned before they are made floats: fewer bytes move.
            source.normalizer.normalize(orient(pixels, cut.orientation), out=planes)
            return
        units = source.normalizer.normalize(pixels).reshape(-1, height, width)
        resampled = resample(units, source.sampling.extent, self.side).reshape(self._shape)
        planes[...] = orient(resampled, cut.orientation)

    def _usable_cut(self, index: int) -> tuple[Cut, npt.NDArray[Any]]:
        """The cut of a patch, and its block's pixels; another one where blocks are bad."""
        for attempt in range(ATTEMPTS):
            cut = self.schedule.cut(index, attempt)
            try:
                return cut, self.cache.load(cut.block)
            except BadPixels as error:
                if not self.skip_bad:
                    raise
                self.faults.note(index, error.fault)
                last = error.fault
        raise WorkFailed(f"{ATTEMPTS} blocks in a row are bad, the last: {last}. Repair the stores")

    def _read(self, block: Block) -> npt.NDArray[Any]:
        if block in self._bad:
            raise self._bad[block]
        try:
            return self._sources[block.image].read(block)
        except BadPixels as error:
            if self.skip_bad:
                self._bad[block] = error
            raise

    def _shows(self) -> Shows:
        masks = [
            Foreground(source.image, source.sampling.level, min(source.sampling.window))
            for source in self._sources
        ]
        first = [source.first for source in self._sources]
        return lambda image, plane, y, x: masks[image].at(
            plane + self._sources[image].middle, y + first[image][0], x + first[image][1]
        )


def distinct(data: tuple[Patches, Patches]) -> tuple[Patches, ...]:
    """Both domains, or the one where they are the same."""
    return data[:1] if data[0] is data[1] else data


def _copied(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy whose rows lie no power of two apart, which few lines of a CPU's cache could hold."""
    *others, height, width = pixels.shape
    apart = width + -width % 64 + 24
    copied = np.empty((*others, height, apart), pixels.dtype)[..., :width]
    copied[...] = pixels
    return copied


def _usable(
    images: Sequence[Image], data: DataSettings, portions: Sequence[Portion], skip_bad: bool
) -> tuple[tuple[PatchSource, ...], tuple[Fault, ...]]:
    """The images that can be used, and why the others cannot."""
    sources: list[PatchSource] = []
    faults: list[Fault] = []
    for image, portion in zip(images, portions, strict=True):
        try:
            source = prepare(image, data, portion, skip_bad=skip_bad)
            _check_channels(source.image, sources)
            sources.append(source)
        except (InputError, WorkFailed) as error:
            if not skip_bad:
                raise
            reason = str(error).removeprefix(f"{image.name} ")
            faults.append(Fault(image.name, reason))
    if not sources:
        raise InputError(f"no store of this domain can be used; {faults[0]}")
    return tuple(sources), tuple(faults)


def _check_channels(image: Image, others: Sequence[PatchSource]) -> None:
    if others and image.shape[1] != others[0].image.shape[1]:
        first = others[0].image
        raise InputError(
            f"{image.name} has {image.shape[1]} channels but {first.name} has "
            f"{first.shape[1]}: all images of a domain need the same channels"
        )
