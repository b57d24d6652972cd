"""Plan of a simulated data set: which images, of which scenes, decided before any is made."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from stable_tiles.axes import Axes
from stable_tiles.errors import InputError
from stable_tiles.simulate.scene import Picture, Scene, Task, View

MAX_SIZE = 2**20
"""Largest side of an image, pixels; numbers of cells still fit into 32 bits."""

SUFFIXES = {"zarr": ".zarr", "tiff": ".ome.tif"}
"""File name endings by format."""


@dataclass(frozen=True)
class SimulateOptions:
    """What to simulate of a task.

    Parameters
    ----------
    size : int
        Side of the square images, pixels.
    count : int
        Training images of each domain.
    seed : int
        Everything follows from it.
    frames, slices : int
        Time points, and optical sections.
    channels : int or None
        Channels of the images; None is the task's default.
    file_format : "zarr" or "tiff"
        OME-Zarr stores, or tiled OME-TIFF files of the same pixels.
    overwrite : bool
        Whether a data set of that name may be replaced.
    dry_run : bool
        Whether only to say what would be written.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    size: int = 512
    count: int = 8
    seed: int = 0
    frames: int = 1
    slices: int = 1
    channels: int | None = None
    file_format: Literal["zarr", "tiff"] = "zarr"
    overwrite: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if not 16 <= self.size <= MAX_SIZE:
            raise InputError(f"size {self.size} is not in 16..{MAX_SIZE} pixels")
        for name in ("count", "frames", "slices"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} is below 1")
        if self.seed < 0:
            raise InputError(f"seed {self.seed} is below 0")

    @property
    def test_count(self) -> int:
        """Paired test images: a quarter of the training images, at least one."""
        return max(1, self.count // 4)


@dataclass(frozen=True)
class Output:
    """One image to write.

    Parameters
    ----------
    path : PurePosixPath
        Its name inside the data set.
    scene : Scene
        What it shows.
    view : View
        How.
    shape : tuple of int
        (t, c, z, y, x).
    axes : Axes
        The axes that exist.
    """

    path: PurePosixPath
    scene: Scene
    view: View
    shape: tuple[int, int, int, int, int]
    axes: Axes

    @property
    def picture(self) -> Picture:
        """Its dtype and channels."""
        return self.scene.task.pictures(self.scene.channels)[self.view]

    @property
    def raw_bytes(self) -> int:
        """Size of its pixels at full resolution, uncompressed."""
        return prod(self.shape) * np.dtype(self.picture.dtype).itemsize


def plan(task: Task, options: SimulateOptions) -> tuple[Output, ...]:
    """All images of a data set.

    No two training images, nor a training and a test image, show one scene;
    the test images of one name show the same scene in every folder.

    Raises
    ------
    InputError
        If the task has no frames, sections or channels such as were asked for.
    """
    channels = _channels(task, options)

    def output(folder: str, number: int, scene: str, view: View) -> Output:
        shown = Scene(
            task, options.seed, f"{scene}/{number:04}", options.size, channels, options.slices
        )
        name = f"{folder}/{number:04}{SUFFIXES[options.file_format]}"
        shape, axes = _shape(shown, view, options)
        return Output(PurePosixPath(name), shown, view, shape, axes)

    domains: tuple[tuple[str, View], ...] = (("A", "a"), ("B", "b"))
    train = [
        output(f"train/{domain}", n, f"train/{domain}", view)
        for domain, view in domains
        for n in range(options.count)
    ]
    numbered = tuple((v, v) for v in task.pictures(channels) if v not in ("a", "b"))
    test = [
        output(f"test/{folder}", n, "test", view)
        for folder, view in (*domains, *numbered)
        for n in range(options.test_count)
    ]
    return (*train, *test)


def _channels(task: Task, options: SimulateOptions) -> int:
    """Channels of the images; refuses what the task does not have."""
    extent = task.extent
    channels = options.channels or extent.channels.start
    if channels not in extent.channels:
        allowed = " to ".join(str(n) for n in sorted({extent.channels[0], extent.channels[-1]}))
        raise InputError(f"task {task.name} has no images of {channels} channels: use {allowed}")
    if options.frames > 1 and not extent.time:
        raise InputError(f"task {task.name} does not change in time: leave out --frames")
    if options.slices > 1 and not extent.depth:
        raise InputError(f"task {task.name} has one section only: leave out --slices")
    return channels


def _shape(
    scene: Scene, view: View, options: SimulateOptions
) -> tuple[tuple[int, int, int, int, int], Axes]:
    """Canonical shape and the axes that exist; numbers of cells do not change in time."""
    picture = scene.task.pictures(scene.channels)[view]
    frames = 1 if picture.is_label else options.frames
    count = len(picture.channels)
    exist = {"t": frames > 1, "c": count > 1, "z": options.slices > 1, "y": True, "x": True}
    names = "".join(name for name, there in exist.items() if there)
    shape = (frames, count, options.slices, options.size, options.size)
    return shape, scene.task.axes(names, options.size)
