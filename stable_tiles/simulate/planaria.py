"""The planaria task: stained nuclei of a flatworm in three dimensions, few (A) and many photons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from stable_tiles.axes import Axes
from stable_tiles.image.ngff import Channel
from stable_tiles.simulate.cells import Box, Grid, Outlines, Sites, Stamps, numbered, wobbly
from stable_tiles.simulate.exposures import Exposures, stack_axes
from stable_tiles.simulate.fields import Volume
from stable_tiles.simulate.optics import Blur, Camera, Plane
from stable_tiles.simulate.scene import STACK, Block, Picture, View
from stable_tiles.simulate.streams import Floats, Stream

SPINNING_DISK = Exposures(
    blur=Blur(sharp=1.1, wide=7.0, haze=0.25),
    low=Camera(photons=2.4, gain=2.0, offset=100.0, read_noise=4.0, dtype="uint16"),
    high=Camera(photons=400.0, gain=2.0, offset=100.0, read_noise=4.0, dtype="uint16"),
)
"""Photons so that the noisy image's correlation with the good one is the paper's 0.40."""


@dataclass(frozen=True)
class Nuclei:
    """Nuclei that reach into one section.

    Parameters
    ----------
    sites : Sites
        Their centres.
    outlines : Outlines
        Of their cuts by the section.
    share : float64 array (n,)
        Of the section's thickness that lies in them, 0..1.
    light : float64 array (n,)
        Brightness, median 1.
    numbers : uint32 array (n,)
        The same for one nucleus in every section.
    """

    sites: Sites
    outlines: Outlines
    share: Floats
    light: Floats
    numbers: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Worm:
    """Nuclei packed in parenchyma around gut branches; lengths in pixels of 0.4 um.

    Nuclei of planarian cells are 5 to 8 um across and lie close together
    (as in the fixed, RedDot1-stained worms of Weigert et al. 2018,
    doi:10.1038/s41592-018-0216-7).

    Parameters
    ----------
    spacing_px, jitter : float
        Grid of possible nuclei in one layer, see `Grid`.
    layer_px : float
        Thickness of a layer; nuclei lie at any height in it.
    radius_px, radius_spread : float
        Mean radius of nuclei, and its relative standard deviation.
    wobble : float
        Irregularity, see `wobbly`.
    vacant, vacant_px : float
        Share of the volume without nuclei (gut, pharynx), and pitch of the field that places it.
    section_px : float
        Thickness of an optical section; a nucleus fades where it ends within one.
    light_spread, chromatin : float
        Standard deviations of the logarithm of brightness, between nuclei and within one.
    background : float
        Brightness of what is not nucleus.
    """

    spacing_px: float = 17.0
    jitter: float = 0.3
    layer_px: float = 13.0
    radius_px: float = 7.0
    radius_spread: float = 0.15
    wobble: float = 0.2
    vacant: float = 0.30
    vacant_px: float = 38.0
    section_px: float = 5.0
    light_spread: float = 0.40
    chromatin: float = 0.25
    background: float = 0.08

    @property
    def grid(self) -> Grid:
        """Where nuclei can lie in one layer."""
        return Grid(self.spacing_px, self.jitter)

    def nuclei(self, stream: Stream, box: Box, height: float, size: int) -> Nuclei:
        """Nuclei of the section at `height` (pixels, at least 0) that may touch the box."""
        reach = 0.5 * self.layer_px + 1.3 * self.radius_px + self.section_px / 2
        first, last = (floor((height + side * reach) / self.layer_px) for side in (-1, 1))
        layers = [self._layer(stream, box, height, n, size) for n in range(first, last + 1)]
        return Nuclei(
            Sites(*_joined([layer.sites for layer in layers])),
            Outlines(*_joined([layer.outlines for layer in layers])),
            *_joined([(layer.share, layer.light, layer.numbers) for layer in layers]),
        )

    def _layer(self, scene: Stream, box: Box, height: float, number: int, size: int) -> Nuclei:
        """Nuclei of one layer that the section cuts; heights in pixels."""
        stream, middle = scene.named("layer", number), (number + 0.5) * self.layer_px
        sites = self.grid.sites(stream.named("grid"), box, 2 * self.radius_px + 1)
        gut = Volume(scene.named("vacant"), self.vacant_px).at(sites.y, sites.x, middle)
        spread = np.clip(sites.normal(stream.named("radius")), -2, 2)
        radius = self.radius_px * (1 + self.radius_spread * spread)
        moved = self.layer_px * (sites.uniform(stream.named("height")) - 0.5)
        above = np.abs(height - middle - moved)
        share = np.clip((radius - above) / self.section_px + 0.5, 0, 1)
        cut = np.sqrt(np.maximum(radius**2 - above**2, (0.4 * radius) ** 2))
        light = np.exp(self.light_spread * sites.normal(stream.named("light")))
        kept = (share > 0) & (gut > ndtri(self.vacant))
        numbers = self.grid.numbers(sites, size, number + 2)
        sites = sites.keep(kept)
        aspect = 1 + 0.45 * sites.uniform(stream.named("aspect"))
        angle = np.pi * sites.uniform(stream.named("angle"))
        outlines = wobbly(stream.named("outline"), sites, cut[kept], aspect, angle, self.wobble)
        return Nuclei(sites, outlines, share[kept], light[kept], numbers[kept])


def _joined(
    parts: Sequence[Sites | Outlines | tuple[npt.NDArray[Any], ...]],
) -> list[npt.NDArray[Any]]:
    """Field by field the arrays of all parts, one after the other."""
    rows = [part if isinstance(part, tuple) else tuple(vars(part).values()) for part in parts]
    return [np.concatenate(columns) for columns in zip(*rows, strict=True)]


@dataclass(frozen=True)
class Planaria:
    """The task; its fields are its physical parameters.

    The paper says that the pixel size was not reported; 0.4 um makes nuclei
    of planarian cells, 5 to 8 um, as wide as in its patches of 64 pixels.
    Sections are 2 um apart, so a nucleus is seen in about three.
    """

    worm: Worm = field(default_factory=Worm)
    microscope: Exposures = SPINNING_DISK
    pixel_size_um: float = 0.4
    section_um: float = 2.0

    name = "planaria"
    extent = STACK

    def pictures(self, channels: int) -> Mapping[View, Picture]:
        """Both exposures as uint16, nuclei as uint32 numbers (0: none)."""
        image = Picture(self.microscope.high.dtype, (Channel("nuclei", "FFFFFF"),))
        labels = Picture("uint32", (Channel("nuclei"),), is_label=True)
        return {"a": image, "b": image, "labels": labels}

    def axes(self, names: str, size: int) -> Axes:
        """The named axes in micrometres, whatever the size."""
        return stack_axes(names, self.pixel_size_um, self.section_um)

    def paint(self, block: Block, view: View) -> npt.NDArray[Any]:
        """One block of one view, (frames, channels, y, x)."""
        worm, stream = self.worm, block.stream.named("worm")
        box = block.box(0 if view == "labels" else self.microscope.margin)
        height = block.z * self.section_um / self.pixel_size_um
        nuclei = worm.nuclei(stream, box, height, block.size)
        stamps = Stamps(nuclei.sites, box, ceil(1.9 * worm.radius_px))
        owner, (depth,) = stamps.nearest(nuclei.outlines.distance(*stamps.offsets()))
        inside = np.clip(0.5 - depth, 0, 1) * np.append(nuclei.share, 0.0)[owner]
        if view == "labels":
            share = inside.astype(np.float32)
            return numbered(nuclei.numbers, owner, share, len(block.frames))
        texture = Volume(stream.named("chromatin"), 2.4).over(box, height)
        own = np.append(nuclei.light, 0.0)[owner] * np.exp(worm.chromatin * texture)
        light: Plane = np.asarray(worm.background + inside * own, np.float32)
        return self.microscope.image(light, block, view)
