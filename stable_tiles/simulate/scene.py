"""Scene: an infinite plane that a seed and a name define, of which any window can be made.

The plane is cut into fixed blocks, and a block depends on nothing but its
place: that, and only that, makes every window agree bit for bit with every
other.  Tasks paint one block at a time and need not know of windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from stable_tiles.axes import Axes
from stable_tiles.image.ngff import Channel
from stable_tiles.region import Region
from stable_tiles.simulate.optics import Plane
from stable_tiles.simulate.streams import Stream

BLOCK = 256
"""Side of a block, pixels.  Noise and rounding depend on it: changing it changes all images."""

FRAMES = 32
"""Frames of a block that are painted at once; bounds the memory of movies, changes no pixel."""

View = Literal["a", "b", "labels", "nuclei"]
"""What can be seen of a scene: either domain, or the numbers of its cells or nuclei."""


@dataclass(frozen=True)
class Block:
    """One block to paint: where it lies and what of it is wanted.

    Parameters
    ----------
    stream : Stream
        The scene's random numbers.
    y, x : int
        First row and column, pixels; multiples of `BLOCK`.
    z : int
        Number of the optical section.
    frames : range
        Numbers of the frames.
    channels : int
        Channels of the images.
    size : int
        Side of the whole image, pixels; numbers of cells depend on it, pixels only of a
        task whose subject fills the image.
    sections : int
        Optical sections of the whole image; only tasks that centre their stack ask.
    noise : bool
        Whether to expose the detector, or to give its expected counts.
    """

    stream: Stream
    y: int
    x: int
    z: int
    frames: range
    channels: int
    size: int
    sections: int
    noise: bool

    def box(self, margin: int) -> tuple[int, int, int, int]:
        """The block grown by `margin` pixels, as (y0, x0, y1, x1); corners may be negative."""
        y1, x1 = self.y + BLOCK + margin, self.x + BLOCK + margin
        return self.y - margin, self.x - margin, y1, x1

    def noise_stream(self, view: View, frame: int) -> Stream:
        """The stream of one exposure of this block: no two exposures share noise."""
        return self.stream.named("noise", view, self.y, self.x, self.z, frame)


@dataclass(frozen=True)
class Picture:
    """What one view of a task is as an image: dtype, channels, and the axes that it may have."""

    dtype: str
    channels: tuple[Channel, ...]
    is_rgb: bool = False
    is_label: bool = False


class Detector(Protocol):
    """What turns brightness into the numbers of an image: a camera, a receiver coil."""

    def expected(self, brightness: Plane) -> Plane:
        """What an ideal exposure without noise would give, float32."""

    def expose(self, brightness: Plane, rng: np.random.Generator) -> npt.NDArray[np.integer]:
        """One noisy exposure, of the detector's integer dtype."""


def detect(detector: Detector, brightness: Plane, block: Block, view: View) -> npt.NDArray[Any]:
    """What the block's request asks for: exposures, or the expected counts.

    Parameters
    ----------
    brightness : float32 array (frames, channels, y, x)

    Returns
    -------
    array of the same shape, of the detector's dtype, or float32 without noise.
    """
    if not block.noise:
        return detector.expected(brightness)
    exposures = [
        detector.expose(frame, block.noise_stream(view, number).generator())
        for number, frame in zip(block.frames, brightness, strict=True)
    ]
    return np.stack(exposures)


@dataclass(frozen=True)
class Extent:
    """What a task's images can have besides y and x.

    Parameters
    ----------
    time : bool
        Whether scenes change from frame to frame.
    depth : bool
        Whether scenes have more than one optical section.
    channels : range
        Allowed numbers of channels; the first is the default.
    """

    time: bool
    depth: bool
    channels: range


STACK = Extent(time=False, depth=True, channels=range(1, 2))
"""Stacks of one channel that do not change in time."""


class Task(Protocol):
    """One of the simulated tasks: a dataclass whose fields are its physical parameters."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """The task's name on the command line."""

    @property
    def extent(self) -> Extent:
        """What its images can have besides y and x."""

    def pictures(self, channels: int) -> Mapping[View, Picture]:
        """What can be seen of a scene, and as what image."""

    def axes(self, names: str, size: int) -> Axes:
        """The named axes of an image of `size` pixels a side, with scales and units."""

    def paint(self, block: Block, view: View) -> npt.NDArray[Any]:
        """One block of one view, (frames, channels, BLOCK, BLOCK), a function of its arguments."""


@dataclass(frozen=True)
class Scene:
    """An infinite plane (y, x) of a task, with frames and sections, defined by seed and name.

    Parameters
    ----------
    task : Task
    seed : int
    name : str
        Scenes of different names have nothing in common.
    size : int
        Side of the image that will be cut from the plane, pixels.  Only the
        numbers of cells depend on it, and the scale of a task whose subject
        fills the image.
    channels : int
        Channels of its images.
    sections : int
        Optical sections of the image; a stack through focus or through a head
        is centred in them.
    """

    task: Task
    seed: int
    name: str
    size: int
    channels: int = 1
    sections: int = 1

    def render(self, region: Region, view: View, *, noise: bool = True) -> npt.NDArray[Any]:
        """The pixels of one region, the same bits whichever region they are asked in.

        Parameters
        ----------
        region : Region
            Over (t, z, y, x), pixels.
        view : {"a", "b", "labels", "nuclei"}
        noise : bool
            False gives what the detector expects (float32) in place of an exposure.

        Returns
        -------
        array (t, c, z, y, x) of the view's dtype, or float32 without noise.
        """
        picture = self.task.pictures(self.channels)[view]
        frames, *plane = region.shape
        exact = picture.is_label or noise
        shape = (frames, len(picture.channels), *plane)
        out = np.empty(shape, picture.dtype if exact else np.float32)
        for cell in region.divide((FRAMES, 1, BLOCK, BLOCK)):
            block = self._block(cell, noise=noise)
            painted = self.task.paint(block, view)
            _, _, rows, columns = cell.relative_to((0, 0, block.y, block.x)).slices
            to_t, to_z, to_y, to_x = cell.relative_to(region.start).slices
            out[to_t, :, to_z.start, to_y, to_x] = painted[:, :, rows, columns]
        return out

    def _block(self, cell: Region, *, noise: bool) -> Block:
        """The block of the plane that holds a cell, for the frames of the cell."""
        first, z, top, left = cell.start
        return Block(
            stream=Stream((self.seed, self.task.name, self.name)),
            y=top // BLOCK * BLOCK,
            x=left // BLOCK * BLOCK,
            z=z,
            frames=range(first, cell.stop[0]),
            channels=self.channels,
            size=self.size,
            sections=self.sections,
            noise=noise,
        )
