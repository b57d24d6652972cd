"""Traces: the mean intensity of every ROI, or label, in every frame, streamed.

No more than one part of a few frames is in memory, and of the traces only as
many frames as the moving baseline spans.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stable_tiles.evaluate import parts
from stable_tiles.evaluate.rois import Roi
from stable_tiles.image.store import Image
from stable_tiles.progress import Progress, silent
from stable_tiles.region import Region

Frame = npt.NDArray[np.float64]
"""One value an ROI."""


@dataclass(frozen=True)
class _Group:
    """ROIs of one part of a z: where their pixels lie in the box that holds them all."""

    z: int
    box: Region
    members: npt.NDArray[np.intp]
    pixels: npt.NDArray[np.intp]
    begins: npt.NDArray[np.intp]

    @property
    def areas(self) -> npt.NDArray[np.intp]:
        """Pixels of every ROI."""
        return np.diff(self.begins, append=len(self.pixels))

    def add(self, image: Image, channel: int, times: range, totals: Frame) -> None:
        """Add the ROIs' sums in some frames to `totals`, (frame, roi)."""
        (y0, x0), (y1, x1) = self.box.start, self.box.stop
        region = Region((times.start, self.z, y0, x0), (times.stop, self.z + 1, y1, x1))
        block = image.read(region, channels=(channel,)).reshape(len(times), -1)
        for row, frame in zip(totals, block, strict=True):
            inside = frame[self.pixels].astype(np.float64)
            row[self.members] += np.add.reduceat(inside, self.begins)


def frames(image: Image, channel: int, rois: Sequence[Roi]) -> Iterator[Frame]:
    """The mean of every ROI in each frame in turn.

    Parameters
    ----------
    image : Image
    channel : int
    rois : sequence of Roi
        Found in the mean of all frames, or given.

    Yields
    ------
    array of float64, (roi,)
        In the image's units, in the order of `rois`.
    """
    areas = np.array([np.count_nonzero(roi.mask) for roi in rois])
    return _stream(image, channel, _groups(rois), areas)


class LabelTraces:
    """The mean of every label of a label image in each frame of a movie.

    Parameters
    ----------
    labels : Image
        Of one frame, with the movie's sizes along z, y and x; 0 is background.
        A label that lies in several sections or parts is one.

    Attributes
    ----------
    numbers : array of int, (label,)
        Ascending.
    areas : array of int, (label,)
        Pixels of each.
    """

    def __init__(self, labels: Image) -> None:
        found = [part for z in range(labels.shape[2]) for part in _labelled(labels, z)]
        every = [numbers for _, numbers in found]
        self.numbers = np.unique(np.concatenate(every)) if found else np.empty(0, np.int64)
        self._groups = [
            replace(group, members=np.searchsorted(self.numbers, numbers))
            for group, numbers in found
        ]
        self.areas = np.zeros(len(self.numbers), np.intp)
        for group in self._groups:
            self.areas[group.members] += group.areas

    def frames(self, image: Image, channel: int) -> Iterator[Frame]:
        """The mean of every label, (label,), in each frame in turn, in the image's units."""
        return _stream(image, channel, self._groups, self.areas)


def _labelled(labels: Image, z: int) -> Iterator[tuple[_Group, npt.NDArray[np.int64]]]:
    """The labels of every part of a section that has some, and their numbers."""
    plane = Region.whole(labels.shape[3:])
    for box in plane.divide((parts.PART, parts.PART)):
        region = Region((0, z, *box.start), (1, z + 1, *box.stop))
        flat = labels.read(region).ravel().astype(np.int64)
        order = np.argsort(flat, kind="stable")
        order = order[np.searchsorted(flat[order], 0, side="right") :]
        if len(order):
            numbers, begins = np.unique(flat[order], return_index=True)
            yield _Group(z, box, np.arange(len(numbers)), order, begins), numbers


def _stream(
    image: Image, channel: int, groups: Sequence[_Group], areas: npt.NDArray[np.intp]
) -> Iterator[Frame]:
    """Sums of groups divided by areas, frame by frame; a few frames are read at a time."""
    largest = max((group.box.size for group in groups), default=1)
    step = max(1, parts.FRAMES_PIXELS // largest)
    for start in range(0, image.shape[0], step):
        times = range(start, min(start + step, image.shape[0]))
        totals = np.zeros((len(times), len(areas)))
        for group in groups:
            group.add(image, channel, times, totals)
        yield from totals / areas


def relative(traces: Iterable[Frame], window: int) -> Iterator[Frame]:
    """dF/F0 of traces that come frame by frame.

    F0 is the mean over the `window` frames around a frame, ``(window - 1) // 2``
    before it and ``window // 2`` after it, of those that exist:
    ``(F - F0) / F0``.

    Parameters
    ----------
    traces : iterable of array, (roi,)
    window : int
        Frames, at least 1.

    Yields
    ------
    array of float64, (roi,)
        As many as came in; NaN where F0 is 0.
    """
    behind, ahead = (window - 1) // 2, window // 2
    kept: deque[Frame] = deque()
    total: Frame | float = 0.0
    first = now = 0

    def emit() -> Frame:
        nonlocal total, first, now
        baseline = total / len(kept)
        with np.errstate(invalid="ignore", divide="ignore"):
            value: Frame = (kept[now - first] - baseline) / baseline
        value[baseline == 0] = np.nan
        now += 1
        if now - behind > first:
            total = total - kept.popleft()
            first += 1
        return value

    for frame in traces:
        kept.append(frame)
        total = total + frame
        if first + len(kept) - 1 - now == ahead:
            yield emit()
    while kept and now < first + len(kept):
        yield emit()


class Correlation:
    """Pearson's correlation of many pairs of traces, one frame at a time.

    Parameters
    ----------
    pairs : int
    """

    def __init__(self, pairs: int) -> None:
        self._count = 0
        self._means = np.zeros((2, pairs))
        self._moments = np.zeros((3, pairs))

    def update(self, x: Frame, y: Frame) -> None:
        """Add a frame of either side, (pair,) each."""
        self._count += 1
        before = np.stack((x, y)) - self._means
        self._means += before / self._count
        after = np.stack((x, y)) - self._means
        self._moments += np.stack(
            (before[0] * after[0], before[1] * after[1], before[0] * after[1])
        )

    @property
    def values(self) -> Frame:
        """One correlation a pair, in -1..1; NaN where a trace is constant or holds NaN."""
        xx, yy, xy = self._moments
        with np.errstate(invalid="ignore", divide="ignore"):
            r: Frame = np.clip(xy / (np.sqrt(xx) * np.sqrt(yy)), -1, 1)
        return r


@dataclass(frozen=True)
class Side:
    """One image of a pair, and which of its ROIs take part.

    Parameters
    ----------
    image : Image
    channel : int
    rois : tuple of Roi
        One for each pair; an ROI may occur several times.
    """

    image: Image
    channel: int
    rois: tuple[Roi, ...]

    def frames(self) -> Iterator[Frame]:
        """The trace of every ROI, frame by frame."""
        return frames(self.image, self.channel, self.rois)


def correlations(
    source: Side, target: Side, window: int, progress: Progress = silent
) -> tuple[Frame, Frame]:
    """How well the traces of pairs of ROIs agree.

    Parameters
    ----------
    source, target : Side
        As many ROIs each; movies of as many frames.
    window : int
        Frames of the baseline of dF/F, see `relative`.
    progress : Progress
        Told the frames done.

    Returns
    -------
    (array, array), (pair,) each
        Pearson's correlation of the intensities and of dF/F.
    """
    raw, change = Correlation(len(source.rois)), Correlation(len(source.rois))
    total = source.image.shape[0]

    def watched() -> Iterator[tuple[Frame, Frame]]:
        for t, (x, y) in enumerate(zip(source.frames(), target.frames(), strict=True)):
            raw.update(x, y)
            progress("frames", t + 1, total)
            yield x, y

    for both in relative((np.concatenate(pair) for pair in watched()), window):
        change.update(*np.split(both, 2))
    return raw.values, change.values


def _groups(rois: Sequence[Roi]) -> list[_Group]:
    """ROIs whose boxes begin in one part are read together."""
    cells: dict[tuple[int, int, int], list[int]] = {}
    for index, roi in enumerate(rois):
        y, x = roi.region.start
        cells.setdefault((roi.plane[1], y // parts.PART, x // parts.PART), []).append(index)
    return [_group(z, [rois[i] for i in members], members) for (z, _, _), members in cells.items()]


def _group(z: int, rois: Sequence[Roi], members: Sequence[int]) -> _Group:
    starts, stops = zip(*((roi.region.start, roi.region.stop) for roi in rois), strict=True)
    box = Region(tuple(np.min(starts, axis=0).tolist()), tuple(np.max(stops, axis=0).tolist()))
    positions = []
    for roi in rois:
        y, x = np.nonzero(roi.mask)
        top, left = roi.region.relative_to(box.start).start
        positions.append((y + top) * box.shape[1] + x + left)
    areas = np.array([len(p) for p in positions])
    return _Group(
        z=z,
        box=box,
        members=np.array(members),
        pixels=np.concatenate(positions),
        begins=np.cumsum(areas) - areas,
    )
