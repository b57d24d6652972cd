"""A head as magnetic resonance sees it: the share of each tissue in every voxel of a section.

Lengths in millimetres from the middle of the head: x from the midline, y
towards the face, z towards the crown; rows of an image run from the face back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stable_tiles.simulate.cells import Box
from stable_tiles.simulate.fields import Volume
from stable_tiles.simulate.optics import Plane
from stable_tiles.simulate.streams import Floats, Stream

Point = tuple[float, float, float]
Course = tuple[tuple[Point, float], ...]
"""A tube: points of its middle line and its radius there."""

VENTRICLE: Course = (
    ((4.5, 33.0, 2.0), 2.6),
    ((8.0, 22.0, 6.0), 4.2),
    ((7.0, 0.0, 12.0), 4.0),
    ((13.0, -20.0, 11.0), 4.4),
    ((23.0, -36.0, 3.0), 5.2),
    ((24.0, -52.0, 2.0), 2.2),
)
"""A lateral ventricle from its frontal to its occipital horn."""

THIRD_VENTRICLE: Course = (((0.0, 10.0, -3.0), 1.8), ((0.0, -14.0, -3.0), 1.8))
"""On the midline between the thalami."""

DEEP_GREY: tuple[tuple[Point, Point], ...] = (
    ((14.0, 21.0, 5.0), (5.0, 9.0, 10.0)),
    ((27.0, 3.0, 2.0), (5.5, 16.0, 12.0)),
    ((12.0, -12.0, 5.0), (8.5, 14.0, 10.0)),
)
"""Middle and semi-axes of head of caudate, lentiform nucleus and thalamus, on either side."""

CEREBELLUM: tuple[Point, Point] = ((0.0, -46.0, -44.0), (49.0, 33.0, 25.0))
"""Middle and semi-axes."""


@dataclass(frozen=True)
class Places:
    """Where the voxels of one section lie in a head that is not bent, float64 (y, x), mm."""

    x: Floats
    y: Floats
    z: Floats


@dataclass(frozen=True)
class Slab:
    """One section to make: its voxels, their side, and its height.

    Parameters
    ----------
    box : (y0, x0, y1, x1)
        Voxels, (0, 0) in the middle of the head.
    voxel_mm : float
        Side of a voxel.
    height_mm : float
        Of the section above the middle of the head.
    """

    box: Box
    voxel_mm: float
    height_mm: float

    def field(self, stream: Stream, pitch_mm: float) -> Floats:
        """A random field in the slab, float64 (y, x), mean 0 and variance near 1."""
        return Volume(stream, pitch_mm / self.voxel_mm, pitch_mm).over(self.box, self.height_mm)

    def share(self, inside_mm: Floats) -> Floats:
        """Share of each voxel that lies inside a surface, from the depth of its middle."""
        return np.asarray(np.clip(inside_mm / self.voxel_mm + 0.5, 0, 1))


@dataclass(frozen=True)
class Head:
    """Size and layers of heads, mm, as in anatomy textbooks for adults.

    Tissues lie one in the other: skin, fat, skull with marrow, fluid, and
    grey on white matter folded by sulci, with ventricles and grey nuclei
    inside.  Sulci are the zeros of a random field; a smooth field bends
    everything, so that no two heads are alike.

    Parameters
    ----------
    half_mm : (x, y, z)
        Semi-axes of the head.
    size_spread : float
        Relative standard deviation of its size, and a fifth of that of its ventricles.
    bend_mm, bend_pitch_mm : float
        Standard deviation and pitch of the field that bends a head.
    skin_mm, fat_mm, skull_mm, marrow_mm, fluid_mm : float
        Thickness of the layers, outside in; marrow lies within the skull.
    cortex_mm, folia_mm : float
        Thickness of the cortex of the brain and of the cerebellum.
    sulcus_pitch_mm, sulcus_mm, sulcus_depth_mm : float
        Pitch of the field whose zeros are the sulci, half their width, and their mean depth.
    fissure_mm, fissure_depth_mm, bridge_mm : float
        Half width and depth of the fissure between the hemispheres, and the height above which
        nothing bridges it.
    """

    half_mm: Point = (76.0, 96.0, 96.0)
    size_spread: float = 0.035
    bend_mm: float = 2.2
    bend_pitch_mm: float = 42.0
    skin_mm: float = 2.0
    fat_mm: float = 3.2
    skull_mm: float = 6.0
    marrow_mm: float = 2.0
    fluid_mm: float = 1.4
    cortex_mm: float = 3.0
    folia_mm: float = 1.4
    sulcus_pitch_mm: float = 4.6
    sulcus_mm: float = 0.3
    sulcus_depth_mm: float = 23.0
    fissure_mm: float = 0.6
    fissure_depth_mm: float = 36.0
    bridge_mm: float = 20.0

    def section(self, stream: Stream, slab: Slab) -> Mapping[str, Plane]:
        """Shares of fluid, grey, white, fat, muscle and bone in the voxels of a section.

        Parameters
        ----------
        stream : Stream
            Names the head.
        slab : Slab

        Returns
        -------
        dict of float32 arrays (y, x), 0..1; what they lack to 1 is air.
        """
        at, share = self._places(stream, slab), slab.share
        depth = _inside(at, ((0.0, 0.0, 0.0), self.half_mm))
        skull = depth - self.skin_mm - self.fat_mm
        film = self.fluid_mm * np.exp(0.6 * slab.field(stream.named("film"), 9.0))
        hull = skull - self.skull_mm - film
        grey, white = self._folded(stream, slab, at, hull)
        deep = np.max([_inside(_mirrored(at), ellipsoid) for ellipsoid in DEEP_GREY], axis=0)
        return _composed(
            [
                ("muscle", share(depth)),
                ("fat", share(depth - self.skin_mm)),
                ("bone", share(skull)),
                ("fat", share(self.marrow_mm / 2 - np.abs(skull - self.skull_mm / 2))),
                ("fluid", share(skull - self.skull_mm)),
                ("grey", share(grey)),
                ("white", share(white)),
                ("grey", share(deep) * share(hull)),
                ("fluid", share(self._ventricles(stream, at)) * share(hull)),
            ]
        )

    def _places(self, stream: Stream, slab: Slab) -> Places:
        """Coordinates of the voxels before the head was bent and scaled."""
        y0, x0, y1, x1 = slab.box
        rows = np.float64(-slab.voxel_mm) * (np.arange(y0, y1)[:, None] + 0.5)
        columns = np.float64(slab.voxel_mm) * (np.arange(x0, x1)[None, :] + 0.5)
        straight: dict[str, Floats | float] = {"x": columns, "y": rows, "z": slab.height_mm}
        x, y, z = (
            (place + self.bend_mm * slab.field(stream.named("bend", name), self.bend_pitch_mm))
            / (1 + self.size_spread * float(stream.named("size", name).normal(0)))
            for name, place in straight.items()
        )
        return Places(x, y, z)

    def _folded(
        self, stream: Stream, slab: Slab, at: Places, hull: Floats
    ) -> tuple[Floats, Floats]:
        """Depth in millimetres inside the surfaces of grey and of white matter."""
        below = _inside(at, CEREBELLUM)
        deepest = self.sulcus_depth_mm * (1 + 0.35 * slab.field(stream.named("deep"), 14.0))
        wide = self.sulcus_mm * (1 + 1.5 * slab.field(stream.named("wide"), 7.0))
        sulci = _sheets(stream, slab, self.sulcus_pitch_mm) - wide
        fissure = np.abs(at.x + slab.field(stream.named("winding"), 7.0)) - self.fissure_mm
        bridged = np.minimum(hull - self.fissure_depth_mm, self.bridge_mm - at.z)
        folds = np.minimum(np.maximum(sulci, hull - deepest), np.maximum(fissure, bridged))
        brain = np.minimum(np.minimum(hull, -below - 0.5), folds)
        little = np.minimum(below - 0.5, hull)
        folia = _sheets(stream, slab, 0.45 * self.sulcus_pitch_mm) - 0.3
        little = np.minimum(little, np.maximum(folia, little - 0.6 * self.sulcus_depth_mm))
        grey = np.maximum(brain, little)
        return grey, np.maximum(brain - self.cortex_mm, little - self.folia_mm)

    def _ventricles(self, stream: Stream, at: Places) -> Floats:
        """Depth inside the ventricles, millimetres."""
        size = np.exp(5 * self.size_spread * float(stream.named("ventricles").normal(0)))
        lateral = _tube(_mirrored(at), VENTRICLE, size)
        flat = Places(at.x, at.y, -3.0 + 0.25 * (at.z + 3.0))
        return np.maximum(lateral, _tube(flat, THIRD_VENTRICLE, size))


def _mirrored(at: Places) -> Places:
    return Places(np.abs(at.x), at.y, at.z)


def _inside(at: Places, ellipsoid: tuple[Point, Point]) -> Floats:
    """Depth inside an ellipsoid, to first order; negative outside."""
    moved = [
        (place - middle, half)
        for place, middle, half in zip((at.x, at.y, at.z), *ellipsoid, strict=True)
    ]
    level = np.sqrt(sum(((d / half) ** 2 for d, half in moved), np.full(at.x.shape, 1e-6)))
    slope = np.sqrt(sum(((d / half**2) ** 2 for d, half in moved), np.full(at.x.shape, 1e-9)))
    return np.asarray((1 - level) * level / slope)


def _tube(at: Places, course: Course, size: float) -> Floats:
    """Depth inside a tube around straight pieces whose radius varies evenly between points."""
    found = []
    for (start, thin), (stop, thick) in pairwise(course):
        along = [b - a for a, b in zip(start, stop, strict=True)]
        away = [p - a for p, a in zip((at.x, at.y, at.z), start, strict=True)]
        length = sum(d * d for d in along)
        share = np.clip(sum(p * d for p, d in zip(away, along, strict=True)) / length, 0, 1)
        gap = [p - share * d for p, d in zip(away, along, strict=True)]
        radius = size * (thin + share * (thick - thin))
        found.append(radius - np.sqrt(sum((d * d for d in gap), np.zeros(at.x.shape))))
    return np.asarray(np.max(found, axis=0))


def _sheets(stream: Stream, slab: Slab, pitch_mm: float) -> Floats:
    """Distance from the zeros of a random field, to first order, millimetres."""
    folds = slab.field(stream.named("folds"), pitch_mm)
    folds += 0.3 * slab.field(stream.named("wrinkles"), 0.6 * pitch_mm)
    slopes = [slope / slab.voxel_mm for slope in np.gradient(folds)]
    steep = np.maximum(np.hypot(slopes[0], slopes[1]), 0.45 / pitch_mm)
    return np.asarray(np.abs(folds) / steep)


def _composed(painted: Sequence[tuple[str, Floats]]) -> Mapping[str, Plane]:
    """Shares of tissues that were painted one over the other."""
    shares: dict[str, Floats] = {}
    for name, cover in painted:
        shares = {key: value * (1 - cover) for key, value in shares.items()}
        shares[name] = shares.get(name, np.zeros(cover.shape)) + cover
    return {name: np.asarray(value, np.float32) for name, value in shares.items()}
