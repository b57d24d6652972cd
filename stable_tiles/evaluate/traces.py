"""Traces: the mean intensity of every ROI in every frame, streamed frame by frame.

No more than one part of one frame is in memory, and of the traces only as
many frames as the moving baseline spans.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
    areas: npt.NDArray[np.intp]

    def means(self, image: Image, channel: int, t: int) -> Frame:
        (y0, x0), (y1, x1) = self.box.start, self.box.stop
        region = Region((t, self.z, y0, x0), (t + 1, self.z + 1, y1, x1))
        flat = image.read(region, channels=(channel,)).ravel()[self.pixels].astype(np.float64)
        means: Frame = np.add.reduceat(flat, self.begins) / self.areas
        return means


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
    groups = _groups(rois)
    for t in range(image.shape[0]):
        frame = np.empty(len(rois))
        for group in groups:
            frame[group.members] = group.means(image, channel, t)
        yield frame


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
        areas=areas,
    )
