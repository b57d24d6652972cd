"""Cells on a jittered hexagonal grid: where they lie, their outlines, whose pixel is whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError
from stable_tiles.simulate.streams import Floats, Ints, Stream

Patches = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]

_OUTSIDE = 6
"""Rows and columns of sites that are numbered beyond each edge of an image."""


@dataclass(frozen=True)
class Grid:
    """A hexagonal grid of sites, each moved at random from its place.

    The grid as a whole is moved at random too: of two scenes, neither says
    where the other's cells are.

    Parameters
    ----------
    spacing : float
        Distance between neighbouring sites before they move, pixels.
    jitter : float
        Largest move along y and along x, as a fraction of the spacing.
    """

    spacing: float
    jitter: float

    @property
    def row_pitch(self) -> float:
        """Distance between rows, pixels."""
        return self.spacing * sqrt(3) / 2

    def sites(self, stream: Stream, box: Box, margin: float) -> Sites:
        """All sites whose centres lie within `margin` pixels of `box`."""
        y0, x0, y1, x1 = box
        reach = margin + (self.jitter + 0.5) * self.spacing
        top, left = (
            2 * self.row_pitch * float(stream.uniform(0)),
            self.spacing * float(stream.uniform(1)),
        )
        rows = _indices(y0 - reach - top, y1 + reach - top, self.row_pitch)
        columns = _indices(x0 - reach - left, x1 + reach - left, self.spacing)
        iy, ix = (index.ravel() for index in np.meshgrid(rows, columns, indexing="ij"))
        move = 2 * self.jitter * self.spacing
        y = top + iy * self.row_pitch + move * (stream.uniform(iy, ix, 0) - 0.5)
        x = left + (ix + 0.5 * (iy % 2)) * self.spacing + move * (stream.uniform(iy, ix, 1) - 0.5)
        near = (y > y0 - margin) & (y < y1 + margin) & (x > x0 - margin) & (x < x1 + margin)
        return Sites(iy[near], ix[near], y[near], x[near])

    def numbers(self, sites: Sites, size: int, plane: int) -> npt.NDArray[np.uint32]:
        """Label numbers from 1, unique in an image of `size` x `size` pixels, not consecutive.

        Sites of different planes have different numbers.  A site outside the
        image that reaches into it has one too.

        Raises
        ------
        InputError
            If 32 bits do not number so many.
        """
        columns = ceil(size / self.spacing) + 2 * _OUTSIDE
        rows = ceil(size / self.row_pitch) + 2 * _OUTSIDE
        if columns * rows * (plane + 1) >= 2**32:
            raise InputError(
                f"{size} x {size} pixels hold more cells in {plane + 1} planes than labels of "
                "32 bits can number: use a smaller --size or fewer --slices"
            )
        row, column = sites.iy + _OUTSIDE, sites.ix + _OUTSIDE
        number = 1 + column + columns * (row + rows * plane)
        return number.astype(np.uint32)


@dataclass(frozen=True)
class Sites:
    """Where cells lie: grid index and centre (pixels, absolute) of each, arrays of one length."""

    iy: Ints
    ix: Ints
    y: Floats
    x: Floats

    def __len__(self) -> int:
        return len(self.iy)

    def keep(self, chosen: npt.NDArray[np.bool_]) -> Sites:
        """The chosen sites."""
        return Sites(self.iy[chosen], self.ix[chosen], self.y[chosen], self.x[chosen])

    def uniform(self, stream: Stream, number: int = 0) -> Floats:
        """One number uniform in (0, 1) for every site."""
        return stream.uniform(self.iy, self.ix, number)

    def normal(self, stream: Stream, number: int = 0) -> Floats:
        """One standard normal number for every site."""
        return stream.normal(self.iy, self.ix, number)


@dataclass(frozen=True)
class Outlines:
    """Closed curves around centres: ellipses whose radius varies with the angle.

    The radius along angle theta of the ellipse's frame is
    ``radius * (1 + sum_k amplitude_k cos(k theta + phase_k))``, k = 2, 3, ...;
    one entry of every array per curve.

    Parameters
    ----------
    radius : array (n,)
        Mean radius, pixels.
    aspect : array (n,)
        Long axis divided by short axis, at least 1; the area does not depend on it.
    angle : array (n,)
        Direction of the long axis from x towards y, radians.
    amplitudes, phases : arrays (n, k)
        Fourier terms from order 2 on; phases in radians.
    """

    radius: Floats
    aspect: Floats
    angle: Floats
    amplitudes: Floats
    phases: Floats

    def distance(self, dy: Floats, dx: Floats) -> Patches:
        """Signed distance to the curve along the line from the centre, pixels.

        Parameters
        ----------
        dy, dx : arrays (n, h, 1) and (n, 1, w)
            Pixels from each centre.

        Returns
        -------
        float32 array (n, h, w), negative inside the curve.  Along the axes of an
        ellipse it is measured in units that make the ellipse a circle.
        """
        cos, sin = (f(self.angle)[:, None, None] for f in (np.cos, np.sin))
        stretch = np.sqrt(self.aspect)[:, None, None]
        along = ((cos * dx + sin * dy) / stretch).astype(np.float32)
        across = ((cos * dy - sin * dx) * stretch).astype(np.float32)
        distance = np.hypot(along, across)
        turn = (along + 1j * across) / np.maximum(distance, np.float32(1e-3))
        power, wobble = turn, np.ones_like(distance)
        for k in range(self.amplitudes.shape[1]):
            power = power * turn
            term = self.amplitudes[:, k] * np.exp(1j * self.phases[:, k])
            wobble += (power * term[:, None, None].astype(np.complex64)).real
        radius = self.radius.astype(np.float32)[:, None, None]
        return np.asarray(distance - radius * wobble, np.float32)


def wobbly(
    stream: Stream,
    sites: Sites,
    radius: Floats,
    aspect: Floats,
    angle: Floats,
    wobble: float | Floats,
) -> Outlines:
    """Outlines with Fourier terms 2..4; amplitudes have standard deviation `wobble` / order."""
    orders = range(2, 5)
    amplitudes = np.stack([sites.normal(stream, k) * wobble / k for k in orders], axis=1)
    phases = np.stack([sites.uniform(stream, 10 + k) * 2 * np.pi for k in orders], axis=1)
    return Outlines(radius, aspect, angle, np.clip(amplitudes, -0.2, 0.2), phases)


@dataclass(frozen=True)
class Stamps:
    """One square patch of pixels around each of n centres, inside a box of the plane.

    Parameters
    ----------
    sites : Sites
        The centres.
    box : (y0, x0, y1, x1)
        Pixels of the plane that are painted.
    half : int
        A patch has 2 * half + 1 pixels a side.
    """

    sites: Sites
    box: Box
    half: int

    def offsets(self, dy: Floats | float = 0.0, dx: Floats | float = 0.0) -> tuple[Floats, Floats]:
        """Pixels from each centre moved by (dy, dx): arrays (n, side, 1) and (n, 1, side)."""
        span = np.arange(-self.half, self.half + 1)
        y = np.rint(self.sites.y) - self.sites.y - dy
        x = np.rint(self.sites.x) - self.sites.x - dx
        return (y[:, None] + span)[:, :, None], (x[:, None] + span)[:, None, :]

    def nearest(
        self, distance: Patches, carried: Sequence[Patches] = ()
    ) -> tuple[npt.NDArray[np.int32], list[Patches]]:
        """For every pixel of the box the stamp with the least distance.

        Parameters
        ----------
        distance : float32 array (n, side, side)
        carried : float32 arrays like `distance`
            More values of the winning stamp.

        Returns
        -------
        owner : int32 array (y, x)
            Index of the winning stamp, -1 where none reaches.
        planes : list of float32 arrays (y, x)
            The winner's distance and carried values; infinite where none reaches.
        """
        shape = (self.box[2] - self.box[0], self.box[3] - self.box[1])
        owner = np.full(shape, -1, np.int32)
        planes = [np.full(shape, np.inf, np.float32) for _ in range(1 + len(carried))]
        top = (np.rint(self.sites.y) - self.half - self.box[0]).astype(int)
        left = (np.rint(self.sites.x) - self.half - self.box[1]).astype(int)
        for i, (y, x) in enumerate(zip(top, left, strict=True)):
            rows, columns = _overlap(y, shape[0], self.side), _overlap(x, shape[1], self.side)
            there, here = (rows[0], columns[0]), (rows[1], columns[1])
            wins = distance[i][here] < planes[0][there]
            np.copyto(owner[there], i, where=wins)
            for plane, values in zip(planes, (distance, *carried), strict=True):
                np.copyto(plane[there], values[i][here], where=wins)
        return owner, planes

    @property
    def side(self) -> int:
        """Pixels along one side of a patch."""
        return 2 * self.half + 1


def numbered(
    numbers: npt.NDArray[np.uint32],
    owner: npt.NDArray[np.int32],
    share: npt.NDArray[np.float32],
    frames: int,
) -> npt.NDArray[np.uint32]:
    """Label image of cells that do not move.

    Parameters
    ----------
    numbers : uint32 array (n,)
        Number of every cell.
    owner : int32 array (y, x)
        Index of the cell of every pixel, -1 for none.
    share : float32 array (y, x)
        Share of the pixel that is in it; from a half on the pixel is the cell's.
    frames : int

    Returns
    -------
    uint32 array (frames, 1, y, x), 0 where there is no cell.
    """
    own = np.append(numbers, np.uint32(0))[owner]
    labels = np.where(share >= 0.5, own, np.uint32(0))
    return np.broadcast_to(labels, (frames, 1, *labels.shape))


def _overlap(start: int, length: int, side: int) -> tuple[slice, slice]:
    """Where a patch from `start` meets 0..length: in the plane, and in the patch."""
    low, high = max(start, 0), max(min(start + side, length), start, 0)
    return slice(low, high), slice(low - start, high - start)


def _indices(low: float, high: float, pitch: float) -> Ints:
    return np.arange(floor(low / pitch), ceil(high / pitch) + 1, dtype=np.int64)
